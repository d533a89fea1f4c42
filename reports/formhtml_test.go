package reports

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

// bulk is what a page's golden has no need of: drawings, which tests of their own look at,
// and the style and the script, which are files beside it.
var bulk = []struct {
	is   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(?s)<svg id="[^"]*" class="plot.*?<title[^>]*>(.*?)</title>.*?</svg>`), "<svg>$1</svg>"},
	{regexp.MustCompile(`(?s)<svg class="kind".*?</svg>`), "<svg/>"},
	{regexp.MustCompile(`(?s)<(style|script)>.*?</(?:style|script)>`), "<$1/>"},
	{regexp.MustCompile(`sha256-.*?&#39;`), "sha256-...&#39;"},
}

func written(t testing.TB, r *Report) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := r.Write(&out, FormHTML); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestHTML(t *testing.T) {
	for name, r := range map[string]*Report{"report/empty.html": emptyReport(), "report/sample.html": sampleReport()} {
		page := written(t, r)
		if again := written(t, r); !bytes.Equal(page, again) {
			t.Errorf("%s: written again it is another", name)
		}
		for _, b := range bulk {
			page = b.is.ReplaceAll(page, []byte(b.with))
		}
		golden(t, name, page)
	}
}

// external is what would make a browser ask for something.
var external = regexp.MustCompile(`(?i)<(?:img|iframe|object|embed|audio|video|source|base|form|use|image)\b|\b(?:src|srcset|action|formaction|xlink:href)=|href="[^#"]|@import|url\(|<[^>]*\son[a-z]+=`)

// The page has no reference but to its own places, whatever the names, and no style or
// script that its policy does not name.
func TestHTMLIsOneFile(t *testing.T) {
	for name, r := range map[string]*Report{"empty": emptyReport(), "sample": sampleReport(), "hostile": hostileReport()} {
		page := written(t, r)
		page = bytes.Replace(page, []byte(`<link rel="icon" href="data:,">`), nil, 1)
		tags := regexp.MustCompile(`<[a-zA-Z/!][^>]*>`).FindAll(page, -1)
		for _, tag := range tags {
			if m := external.Find(tag); m != nil {
				t.Errorf("%s: %s has %s", name, tag, m)
			}
			if bytes.Contains(tag, []byte(" style=")) {
				t.Errorf("%s: %s has a style of its own, which the policy forbids", name, tag)
			}
		}
		for _, tag := range []string{"style", "script"} {
			if n := bytes.Count(page, []byte("<"+tag+">")); n != 1 {
				t.Errorf("%s: %d times <%s>, want 1", name, n, tag)
			}
			_, rest, _ := strings.Cut(string(page), "<"+tag+">")
			inside, _, _ := strings.Cut(rest, "</"+tag+">")
			source := strings.NewReplacer("'", "&#39;", "+", "&#43;").Replace(tag + "-src " + policyHash(inside))
			if !bytes.Contains(page, []byte(source)) {
				t.Errorf("%s: the policy does not have %s", name, source)
			}
			if tag == "style" && external.MatchString(inside) {
				t.Errorf("%s: the style has %s", name, external.FindString(inside))
			}
		}
	}
}
