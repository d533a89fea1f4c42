package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"lathe/graphgen/arch"
)

func (a *app) cmdTrain() *cobra.Command {
	f := trainFlags{command: "train"}
	cmd := &cobra.Command{
		Use:   "train CANDIDATE --text FILE --tokenizer FILE -o FOLDER",
		Short: "Train a candidate on text, from random weights",
		Long: `Train a candidate from weights drawn as its family initialises them (--seed), on
text, and write the model: FOLDER has config.json, model.safetensors and the tokenizer's
files, as transformers opens them, and model.onnx, the graph that "lathe measure" times.
Parameters are fp32; of +int4b32 the ONNX graph is quantized. Layers that
differ, LSTM and GRU have no configuration in transformers: then FOLDER has
candidate.yaml and the ONNX file, in fp32. "lathe eval", "lathe finetune" and "lathe
emit --weights" take FOLDER, "lathe measure" its model.onnx.

The text of --text is files, folders and patterns: plain text, in which <|endoftext|> or
--separator stands between documents (--whole: a file is one), or JSON lines, of which
--field is the text; .gz of either. With --instruction records are requests and answers,
{"instruction": ..., "input": ..., "output": ...}, and the loss counts on answers alone.
Documents fall to training, development and test by a hash of what they say. The
tokens are kept in the cache folder.

The candidate's vocabulary is the tokenizer's; "lathe tokenizer" makes one of the text.

A step is a batch of --batch rows of --sequence tokens, in passes of --micro rows: fewer
take less memory and give the same step. --epochs, --steps, --tokens or --minutes say how
long it takes; minutes become steps after some have been timed. The optimizer is AdamW.
The learning rate rises during --warmup steps and falls along --schedule.

--compute fp16 or bf16 computes products in 16 bits, with fp32 parameters, moments, norms
and losses, and in fp16 a scale on the loss (--loss-scale): where a gradient overflows, the
step is skipped and the scale halved. It is for --provider cuda, where ONNX Runtime is a build for it; on
the CPU the roundings are made in fp32, which is slower, and shows how a model takes to them.

With --from MODEL it starts from a bigger model's weights and not from random ones: the
layers, heads, neurons and dimensions that do most on --calibration tokens of the text.
The model is one that "lathe finetune" takes, of the same family, with the same
vocabulary, and no size of the candidate may be larger than its. With --teacher MODEL the
loss is a mixture: (1 - w) times the text's cross entropy and w (--distill-weight) times
T squared times the divergence from what the teacher expects, both at the temperature T
(--temperature), of the teacher's 64 likeliest tokens and all others as one. The losses
that are told are the text's. --teacher-cache keeps what the teacher says on disk.

Every --eval-every steps the loss on the development set is found; the parameters where
it was lowest are what is written at the end, with the loss on the test set. --patience
ends a training that no longer gets better.

FOLDER/log.jsonl has a line for each step, loss.svg the curve, checkpoints the newest
--keep checkpoints and the best. Interrupted (Ctrl-C saves and ends; twice ends at once),
killed, or out of disk, it goes on with --resume, to the numbers that it would have had;
--steps and --lr may then be others. --dry-run makes some steps, says how long it would
take and how much memory, and writes nothing.`,
		Example: `  lathe train gpt2-l4-d256-f1024-h4-v4096-p256 --text mail/ --tokenizer ./bpe -o small
  lathe train gpt2-l4-d256-f1024-h4-v4096-p256 --text mail/*.jsonl.gz --field body --tokenizer ./bpe --minutes 20 -o small
  lathe train gpt2-l2-d128-f512-h2-v4096-p256 --from small --teacher small --text mail/ -o smaller
  lathe train lstm-l2-d256-v4096 --text mail.txt --tokenizer ./bpe --dry-run
  lathe train llama-l8-d512-f1408-h8-v4096-p512 --text mail/ --tokenizer ./bpe --compute bf16 --provider cuda@device_id=0 -o large
  lathe train --resume -o small
  lathe train --resume -o small --steps 20000
  lathe eval small --text dev.txt`,
		Args: func(_ *cobra.Command, args []string) error {
			return f.checkArgs("train", "CANDIDATE", args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			f.changed = cmd.Flags().Changed
			if f.resume {
				return a.printTraining(a.resumeTraining(cmd.Context(), &f))
			}
			cands, err := loadCandidates(args)
			if err != nil {
				return err
			}
			start := trainStart{candidate: cands[0]}
			if f.from != "" {
				if start.own, err = a.openWhole(cmd.Context(), f.from); err != nil {
					return err
				}
				defer start.own.close()
			}
			return a.printTraining(a.newTraining(cmd.Context(), &f, start))
		},
	}
	a.trainFlags(cmd, &f)
	return cmd
}

func (a *app) cmdFinetune() *cobra.Command {
	f := trainFlags{command: "finetune"}
	cmd := &cobra.Command{
		Use:   "finetune MODEL --text FILE -o FOLDER",
		Short: "Train a model that is there on more text",
		Long: `Train a model of your own further: a folder of transformers, a checkpoint of
llama2.c, an ONNX file whose decoder is recognised, or hf:NAME, as "lathe import" takes
them. The tokenizer is the one in the model's folder, unless --tokenizer names another.

All else is as in "lathe train": text, steps, log, checkpoints, --resume, and what is
written, and --teacher; see lathe train --help. The learning rate is lower where none is given.`,
		Example: `  lathe finetune ./my-gpt2 --text mail/ --epochs 2 -o tuned
  lathe finetune stories260K.bin --tokenizer tok512.bin --text stories.txt --minutes 5 -o tuned
  lathe finetune ./my-gpt2 --text requests.jsonl --instruction --lr 2e-5 -o helper
  lathe finetune --resume -o tuned`,
		Args: func(_ *cobra.Command, args []string) error {
			return f.checkArgs("finetune", "MODEL", args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			f.changed = cmd.Flags().Changed
			if f.resume {
				return a.printTraining(a.resumeTraining(cmd.Context(), &f))
			}
			own, err := a.openWhole(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			defer own.close()
			return a.printTraining(a.newTraining(cmd.Context(), &f, trainStart{candidate: arch.Candidate{Spec: own.spec}, own: own}))
		},
	}
	a.trainFlags(cmd, &f)
	return cmd
}

// checkArgs wants the one argument, or none where a training goes on.
func (f *trainFlags) checkArgs(command, what string, args []string) error {
	switch {
	case f.resume && len(args) > 0:
		return badInput(fmt.Errorf("%s: --resume goes on with what was begun: leave %s out", command, args[0]))
	case !f.resume && len(args) != 1:
		return badInput(fmt.Errorf("%s: one %s needed, %d given; see lathe %s --help", command, what, len(args), command))
	case f.dir == "" && !f.dry:
		return badInput(errors.New(command + ": no folder to write to; give it with -o FOLDER"))
	case f.resume && f.dry:
		return badInput(errors.New(command + ": --dry-run goes with no --resume"))
	}
	return nil
}
