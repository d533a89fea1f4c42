package tokenizer

import "encoding/json"

// Begins is the token that a tokenizer.json puts before every text, "" where it puts
// none. data is one that was read without an error.
func Begins(data []byte) string {
	var doc struct {
		PostProcessor *postProcessor `json:"post_processor"`
	}
	if json.Unmarshal(data, &doc) != nil {
		return ""
	}
	return doc.PostProcessor.begins(maxDepth)
}

// postProcessor is the step that adds tokens around a text, or a sequence of steps.
type postProcessor struct {
	Type       string           `json:"type"`
	Processors []*postProcessor `json:"processors"`
	Single     []struct {
		SpecialToken *struct {
			ID string `json:"id"`
		} `json:"SpecialToken"`
	} `json:"single"`
}

func (p *postProcessor) begins(depth int) string {
	if p == nil || depth == 0 {
		return ""
	}
	if p.Type == "TemplateProcessing" && len(p.Single) > 0 && p.Single[0].SpecialToken != nil {
		return p.Single[0].SpecialToken.ID
	}
	for _, q := range p.Processors {
		if name := q.begins(depth - 1); name != "" {
			return name
		}
	}
	return ""
}
