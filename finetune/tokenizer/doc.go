// Package tokenizer turns text into token ids and back, as the model's training
// did. It reads
//
//   - byte-level BPE, as GPT-2, Llama 3 and Qwen2 have it: a Hugging Face
//     tokenizer.json, or vocab.json and merges.txt;
//   - BPE over characters with bytes for what the vocabulary lacks, as Llama 2 and
//     Mistral have it: a Hugging Face tokenizer.json, a SentencePiece model
//     (tokenizer.model) or llama2.c's tokenizer.bin;
//   - SentencePiece's Unigram models.
//
// Train learns a byte-level vocabulary from text, for who has none, and writes it as
// a tokenizer.json.
//
// It stands at both ends of the pipeline: training and evaluation read their text
// through it, a predictor shows its tokens through it, and workloads are counted
// with it. It imports nothing of ours, never uses the network, and declares no
// interface of what others ask: who needs several kinds of tokenizers says that.
//
// It adds no tokens of its own, such as one that begins a sequence. Names of special
// tokens, such as <|endoftext|>, are text like any other unless EncodeSpecial is
// asked for. Decode gives back the text that was encoded, but for what the model's
// training could not tell apart either:
//
//   - bytes that are no UTF-8 come back as U+FFFD;
//   - a tokenizer with a normaliser, such as Qwen2's NFC, gives the normalised text;
//   - SentencePiece writes U+2581 for a space, and both come back as a space;
//   - white space that a file wants swallowed beside an added token is lost, and so
//     is a first space where a file adds one only to texts that have none;
//   - a character that a vocabulary without bytes lacks comes back as the name of
//     its unknown token.
//
// Many vocabularies are of words with a space before them, and have one put before
// the text's first word too: Encode adds it and Decode takes it away. Text that
// stands behind other text is encoded by Continue, without it.
package tokenizer
