package text

import (
	"slices"
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	in := &Instruction{}
	doc := func(prompt, text string) Document {
		return Document{Prompt: prompt, Text: text, Begins: true, Ends: true}
	}
	for _, c := range []struct {
		text string
		o    Options
		want []Document
	}{
		{"", Options{}, nil},
		{"{\"body\": \"a\\nb \\n\"}\n\r\n{\"id\":1,\"body\":\"\\u00e9\"}", Options{}, []Document{doc("", "a\nb"), doc("", "é")}},
		{`{"body": ""}` + "\n" + `{"body": null}`, Options{}, nil},
		{`{"s": "Hi", "b": "there"}` + "\n" + `{"s": "", "b": "x"}`, Options{Fields: []string{"s", "b"}}, []Document{doc("", "Hi\n\nthere"), doc("", "x")}},
		{" [\n{\"body\": \"a\"},\n {\"body\": \"b\"}]\n", Options{}, []Document{doc("", "a"), doc("", "b")}},
		{"[]", Options{}, nil},
		{"\ufeff" + `{"body": "` + strings.Repeat("x", 200000) + `"}`, Options{}, []Document{doc("", strings.Repeat("x", 200000))}},
		{`{"instruction": "Add {input}", "input": "1 {instruction}", "output": "2\n"}` + "\n" + `{"instruction": "Say a", "output": "a"}` + "\n" + `{"instruction": "Say nothing", "output": ""}`, Options{Instruction: in}, []Document{
			doc("### Task\nAdd {input}\n\n### Text\n1 {instruction}\n\n### Answer\n", "2"), doc("### Task\nSay a\n\n### Answer\n", "a"),
		}},
		{`{"q": "why", "instruction": 5, "a": "so"}`, Options{Instruction: &Instruction{Instruction: "q", Output: "a", Template: "{instruction}? "}}, []Document{doc("why? ", "so")}},
	} {
		var got []Document
		err := readLines(strings.NewReader(c.text), "a.jsonl", c.o.withDefaults(), func(d Document) bool { got = append(got, d); return true })
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%.200q:\n got %.300v, %v\nwant %.300v", c.text, got, err, c.want)
		}
	}
}

func TestLineErrors(t *testing.T) {
	for _, c := range []struct {
		text string
		o    Options
		want string
	}{
		{"{\"body\": \"a\"}\n\n{\"text\": \"b\", \"id\": 1}", Options{}, `text: a.jsonl:3: no field "body"; the object's fields: id, text`},
		{"{}", Options{}, `text: a.jsonl:1: no field "body"; the object's fields: none`},
		{`{"body": 5}`, Options{}, `text: a.jsonl:1: field "body" is 5: want a string`},
		{"{\"body\": \"a\"}\nplain text", Options{}, "text: a.jsonl:2: no JSON object: invalid character 'p'"},
		{`"body"`, Options{}, "text: a.jsonl:1: no JSON object: json: cannot unmarshal string"},
		{"null", Options{}, "text: a.jsonl:1: null is no JSON object"},
		{"{\"body\": \"\xff\"}", Options{}, "text: a.jsonl:1: not UTF-8"},
		{`[{"body": "a"}, {"b": "a"}]`, Options{}, `text: a.jsonl: object 2 of the array: no field "body"`},
		{`[{"body": "a"}, {"body"`, Options{}, `text: a.jsonl: object 2 of the array: unexpected EOF`},
		{`[{"body": "a"}`, Options{}, `text: a.jsonl: object 2 of the array: unexpected EOF`},
		{`{"instruction": "a"}`, Options{Instruction: &Instruction{}}, `text: a.jsonl:1: no field "output"`},
		{`{"instruction": "", "input": "", "output": "x"}`, Options{Instruction: &Instruction{}}, `text: a.jsonl:1: the field "instruction" is empty`},
	} {
		err := readLines(strings.NewReader(c.text), "a.jsonl", c.o.withDefaults(), func(d Document) bool { return true })
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: %v\nwant %s", c.text, err, c.want)
		}
	}
}

// Whatever a file has, reading it ends with documents of valid text or an error that
// names the file.
func FuzzLines(f *testing.F) {
	for _, s := range []string{`{"body": "a"}`, "[{\"body\": \"a\"}]", `{"instruction": "a", "input": "b", "output": "c"}`, "{\"body\": \"\\ud800\"}\n\n{", "[[", "[1", "\ufeff{}"} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, s string, instructed bool) {
		o := Options{}
		if instructed {
			o.Instruction = &Instruction{}
		}
		err := readLines(strings.NewReader(s), "a.jsonl", o.withDefaults(), func(d Document) bool {
			if d.Text == "" || !d.Begins || !d.Ends || instructed != (d.Prompt != "") || strings.ToValidUTF8(d.Text, "") != d.Text {
				t.Errorf("document %+v", d)
			}
			return true
		})
		if err != nil && !strings.HasPrefix(err.Error(), "text: a.jsonl:") {
			t.Errorf("error %v", err)
		}
	})
}

func FuzzPlain(f *testing.F) {
	f.Add("a\n\nb<|endoftext|>c\r\n", true)
	f.Add("\ufeff\r\r\n \xff", false)
	f.Fuzz(func(t *testing.T, s string, blank bool) {
		o := Options{BlankLines: blank, Section: 64}
		err := readPlain(strings.NewReader(s), "a.txt", o.withDefaults(), func(d Document) bool {
			if d.Text == "" || strings.Contains(d.Text, "\r") || strings.ToValidUTF8(d.Text, "") != d.Text {
				t.Errorf("document %+v", d)
			}
			return true
		})
		if err != nil && !strings.HasPrefix(err.Error(), "text: a.txt:") {
			t.Errorf("error %v", err)
		}
	})
}
