package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// app is one run of the program: its streams, its configuration, and what it
// has opened (see wire.go).
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	configFile string
	json       bool
	quiet      bool
	flags      []boundFlag
	cfg        *loaded

	spaceFile   string   // --space
	constraints []string // --constraint

	opened
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "lathe",
		Short: "Find a faster architecture for a text predictor, on the machine it runs on",
		Long: `Lathe searches decoder architectures for a target machine. It writes every
candidate as an ONNX graph, times it with ONNX Runtime beside the baseline,
learns a latency model from the timings, and shows the Pareto front of decoder
parameters (the proxy for quality) and latency.

A candidate on the command line is a compact name, such as
gpt2-l12-d1024-f4096-h16 or gpt2-l7-d1280-f6016-h16+int4b32, or a YAML file.
Start with "lathe demo".`,
		Example: `  lathe demo
  lathe show gpt2-l12-d1024-f4096-h16
  lathe measure gpt2-l7-d1280-f6016-h16 --baseline gpt2-l12-d1024-f4096-h16
  lathe search && lathe front`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs, // RunE refuses them, as bad input
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
		PersistentPreRunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.HasParent() {
				return nil
			}
			flags := map[string]*pflag.Flag{}
			for _, b := range a.flags {
				if cmd.Flags().Lookup(b.flag.Name) == b.flag { // not another command's
					flags[b.key] = b.flag
				}
			}
			if cmd.Annotations[configArgument] != "" {
				if a.configFile != "" {
					return badInput(fmt.Errorf("%s: the configuration is %s: --config goes with other commands", cmd.Name(), args[0]))
				}
				a.configFile = args[0]
			}
			cfg, err := loadConfig(a.configFile, flags)
			if err != nil {
				return err
			}
			a.cfg = cfg
			if mayRestart && cfg.Runtime.HugePages && cmd.Annotations[timesSessions] != "" {
				restartWithHugePages()
			}
			return nil
		},
	}
	root.SetHelpCommand(helpCommand())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return badInput(err) })
	pf := root.PersistentFlags()
	pf.StringVar(&a.configFile, "config", "", "configuration `FILE` (default "+configFile+" in the working folder, if there)")
	pf.BoolVar(&a.json, "json", false, "print the result as JSON")
	pf.BoolVarP(&a.quiet, "quiet", "q", false, "no progress on stderr")
	pf.String("cache-dir", "", "`FOLDER` of the library and the weights pool")
	pf.String("store", "", "`FILE` of measurements, models and fronts")
	pf.String("library", "", "ONNX Runtime library `FILE` to use")
	pf.Bool("offline", false, "never use the network")
	a.bind(pf, "cache_dir", "cache-dir")
	a.bind(pf, "store", "store")
	a.bind(pf, "runtime.library", "library")
	a.bind(pf, "runtime.offline", "offline")

	for _, cmd := range []*cobra.Command{
		a.cmdDoctor(), a.cmdConfig(), a.cmdShow(), a.cmdEmit(), a.cmdExport(), a.cmdImport(), a.cmdInspect(), a.cmdMeasure(), a.cmdProfile(),
		a.cmdFit(), a.cmdPredict(), a.cmdSearch(), a.cmdFront(), a.cmdDemo(), a.cmdWorkload(), a.cmdTrain(), a.cmdFinetune(), a.cmdProxy(), a.cmdTokenizer(), a.cmdEval(), a.cmdCalibrate(), a.cmdComplete(), a.cmdStudy(), a.cmdVerify(), a.cmdNightly(), a.cmdReport(), a.cmdTimer(),
	} {
		root.AddCommand(cmd)
	}
	return root
}

func unknownCommand(root *cobra.Command, name string) error {
	var known []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			known = append(known, c.Name())
		}
	}
	return badInput(fmt.Errorf("unknown command %q: %s", name, meant(name, known)))
}

// helpCommand is cobra's, but that it fails for a command that is not there and
// needs no configuration.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "help [command]",
		Short:             "Show a command's help",
		Example:           "  lathe help search",
		PersistentPreRunE: func(*cobra.Command, []string) error { return nil },
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(cmd.Root(), args[0])
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// timesSessions annotates the commands that time sessions.
const timesSessions = "times-sessions"

// configArgument annotates the commands whose argument is the configuration file.
const configArgument = "config-argument"

func timing() map[string]string { return map[string]string{timesSessions: "yes"} }

// boundFlag is a flag that sets a configuration key.
type boundFlag struct {
	key  string
	flag *pflag.Flag
}

// bind makes a flag set a configuration key, and shows the key's default in its
// help. Several commands may have a flag for one key; that of the command that
// runs counts.
func (a *app) bind(fs *pflag.FlagSet, key, flag string) {
	f := fs.Lookup(flag)
	for _, s := range settings {
		if def := fmt.Sprint(s.def); s.key == key && def != "" && def != "0" && def != "false" {
			f.Usage += " (default " + def + ")"
		}
	}
	a.flags = append(a.flags, boundFlag{key, f})
}
