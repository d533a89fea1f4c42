package reports

// part is a section of a report, as the forms for people show it. Parts are derived from
// the model by (*Report).parts; no form looks into the model for what it shows beside them.
type part struct {
	key    string // of its place in the page, and of its plots: front, table1
	title  string
	prose  []sentence // before everything else
	blocks []block
}

// block is one of *grid, figures and *list, in the order in which a part shows them.
type block interface{ isBlock() }

// sentence is words, some of which are numbers of the model.
type sentence []cell

// list is a list of sentences.
type list struct {
	items []sentence
}

// figures are drawings of the report, beside or below each other.
type figures []Plot

// grid is a table whose cells know which numbers of the model they show.
type grid struct {
	caption string
	columns []column
	rows    [][]cell
	notes   []string // below, as they are
	more    int      // rows that are left out here, and are in JSON and CSV
	sorts   bool     // the page lets readers sort it
}

func (*grid) isBlock()   {}
func (*list) isBlock()   {}
func (figures) isBlock() {}

// cell is a text and the numbers in it.
type cell struct {
	text string
	// paths are JSON pointers (RFC 6901) into the report's JSON form, one for each number of
	// the text, in order: "0.921 [0.905, 0.938]" has three.
	paths []string
	as    scaling // how text shows them
	mark  string  // pick, baseline, slower: what sets the cell or its row apart, "" nothing
}

// scaling is what is done to a number of the model before it is shown rounded.
type scaling string

// The scalings. Texts of asWritten are no numbers.
const (
	asIs       scaling = ""
	asPercent  scaling = "percent"  // 100 times
	asChange   scaling = "change"   // of a ratio: 100 times what it is over 1
	asMillions scaling = "millions" // see millions
	asWritten  scaling = "text"     // a string of the model, verbatim
)

// words is a cell without numbers of the model.
func words(text string) cell { return cell{text: text} }

// line is a sentence of cells and strings.
func line(parts ...any) (s sentence) {
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			s = append(s, words(p))
		case cell:
			s = append(s, p)
		}
	}
	return s
}
