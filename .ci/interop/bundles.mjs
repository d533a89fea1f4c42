// The part of bundles.py that runs in Node: reads jobs from stdin as JSON, and writes what
// came of them as a line of JSON. bundles.py says what a job is.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { AutoModelForCausalLM, AutoTokenizer, Tensor, env, pipeline } from '@huggingface/transformers';
import * as ort from 'onnxruntime-node';

env.allowRemoteModels = false;

const ids = (list) => new Tensor('int64', BigInt64Array.from(list, BigInt), [1, list.length]);

// generate returns the tokens behind a prompt of ids.
async function generate(model, prompt, n) {
  const attention_mask = new Tensor('int64', new BigInt64Array(prompt.length).fill(1n), [1, prompt.length]);
  const out = await model.generate({ input_ids: ids(prompt), attention_mask, max_new_tokens: n });
  return out.tolist()[0].map(Number).slice(prompt.length);
}

const results = [];
for (const job of JSON.parse(readFileSync(0, 'utf8'))) {
  env.localModelPath = path.dirname(job.dir) + '/';
  const name = path.basename(job.dir);
  const model = await AutoModelForCausalLM.from_pretrained(name, { dtype: job.dtype });
  const tokenizer = await AutoTokenizer.from_pretrained(name);
  const tokens = await generate(model, job.prompt, job.n);
  const pipe = await pipeline('text-generation', name, { dtype: job.dtype });
  const text = 'The boss';
  const said = (await pipe(text, { max_new_tokens: job.more }))[0].generated_text;
  const prompt = tokenizer(text).input_ids.tolist()[0].map(Number);
  const behind = await generate(model, prompt, job.more);
  const whole = tokenizer.decode([...prompt, ...behind], { skip_special_tokens: true });
  const alone = [];
  const batch = [];
  const prompts = job.batch.map((one) => tokenizer(one).input_ids.tolist()[0].map(Number));
  if (job.batch.length > 0) {
    tokenizer.padding_side = 'left';
    const inputs = tokenizer(job.batch, { padding: true });
    const out = (await model.generate({ ...inputs, max_new_tokens: job.more })).tolist();
    const from = inputs.input_ids.dims[1];
    for (const [i, one] of prompts.entries()) {
      alone.push(await generate(model, one, job.more));
      batch.push(out[i].map(Number).slice(from).slice(0, alone[i].length));
    }
  }
  results.push({
    tokens: tokens.slice(0, job.n), text: said, decoded: whole, alone, batch, prompts,
    ids: job.lines.map((line) => tokenizer.encode(line, { add_special_tokens: false })),
  });
}
console.log(JSON.stringify({ version: env.version, onnxruntime: ort.env.versions.node, results }));
