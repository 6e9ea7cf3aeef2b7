package report

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// mention is what GitHub acts on in text.
var mention = regexp.MustCompile(`@[A-Za-z0-9]|:[a-z_]+:|https?://|www\.[a-z]`)

// htmlElements are those of our templates, and htmlAttributes what they may carry.
var (
	htmlElements   = words("html head meta title style body a div header p h1 h2 h3 h4 nav ul li main section article table caption thead tbody tr th td span code details summary dl dt dd svg rect b i br pre footer")
	htmlAttributes = words("lang charset http-equiv content name class href id aria-label aria-labelledby aria-hidden role tabindex scope rowspan colspan open title viewbox preserveaspectratio x y width height")
)

func words(s string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(s) {
		out[w] = true
	}
	return out
}

// onlyOurHTML demands a page of elements that our templates have, links that stay
// on it, anchors that exist once, and headings in order.
func onlyOurHTML(t *testing.T, page []byte) *html.Node {
	t.Helper()
	doc, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	var links []string
	level, styles, metas := 0, 0, 0
	for n := range doc.Descendants() {
		if n.Type == html.CommentNode {
			t.Errorf("a comment: %q", n.Data)
		}
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "style":
			styles++
		case "meta":
			metas++
		}
		if !htmlElements[n.Data] {
			t.Errorf("element %s", n.Data)
		}
		if len(n.Data) == 2 && n.Data[0] == 'h' && n.Data[1] >= '1' && n.Data[1] <= '6' {
			now := int(n.Data[1] - '0')
			if now > level+1 {
				t.Errorf("%s follows h%d", n.Data, level)
			}
			level = now
		}
		scope := ""
		for _, a := range n.Attr {
			switch {
			case !htmlAttributes[strings.ToLower(a.Key)]:
				t.Errorf("attribute %s=%q of %s", a.Key, a.Val, n.Data)
			case a.Key == "id" && ids[a.Val]:
				t.Errorf("two elements are called %q", a.Val)
			case a.Key == "id":
				ids[a.Val] = true
			case a.Key == "href":
				links = append(links, a.Val)
			case a.Key == "scope":
				scope = a.Val
			}
		}
		if n.Data == "th" && scope == "" && !strings.Contains(attribute(n, "class"), "corner") {
			t.Error("a heading of a table without scope")
		}
	}
	if styles != 1 || metas != 4 {
		t.Errorf("%d styles, %d metas", styles, metas)
	}
	for _, l := range links {
		if !strings.HasPrefix(l, "#") || !ids[l[1:]] {
			t.Errorf("a link to %q", l)
		}
	}
	return doc
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func TestHTMLIsOnlyOurs(t *testing.T) {
	for _, r := range []Report{fixture(), several(), calm(proven), {}} {
		onlyOurHTML(t, []byte(rendered(t, HTML, r)))
	}
	for _, p := range []Proof{hostileProof(), bigProof(100, 80), {}} {
		var b bytes.Buffer
		if err := ProofHTML(&b, p); err != nil {
			t.Fatal(err)
		}
		onlyOurHTML(t, b.Bytes())
	}
}

// The matrix does not grow with the square of what there is to say.
func TestHTMLMatrixIsBounded(t *testing.T) {
	var r Report
	for i := range 500 {
		res := calm(proven).Results[0]
		res.Checks = nil
		for j := range 10 {
			res.Checks = append(res.Checks, Check{ID: fmt.Sprintf("c%d.%d", i, j), Verdict: pass, Evidence: exercised})
		}
		r.Results = append(r.Results, res)
	}
	page := rendered(t, HTML, r)
	onlyOurHTML(t, []byte(page))
	if len(page) > 10<<20 || !strings.Contains(page, "too large a table") {
		t.Errorf("%d bytes", len(page))
	}
	if page := rendered(t, HTML, several()); strings.Contains(page, "too large a table") || !strings.Contains(page, `<table class="matrix">`) {
		t.Error("two subjects have no matrix")
	}
}

// The page's own style is the only thing that its policy lets in, and nothing
// in it reaches out.
func TestHTMLNeedsNothing(t *testing.T) {
	var proof bytes.Buffer
	if err := ProofHTML(&proof, hostileProof()); err != nil {
		t.Fatal(err)
	}
	for name, page := range map[string]string{"report": rendered(t, HTML, calm(failed)), "proof": proof.String()} {
		doc := onlyOurHTML(t, []byte(page))
		css, policy := "", ""
		for n := range doc.Descendants() {
			if n.Data == "style" && n.FirstChild != nil {
				css = n.FirstChild.Data
			}
			if attribute(n, "http-equiv") == "Content-Security-Policy" {
				policy = attribute(n, "content")
			}
		}
		if want := "default-src 'none'; style-src '" + newHTMLHead("", css).Hash + "'; base-uri 'none'; form-action 'none'"; policy != want {
			t.Errorf("%s: the policy is %q, want %q", name, policy, want)
		}
		for _, bad := range []string{"url(", "@import", "<script", "http://", "https://"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s has %q", name, bad)
			}
		}
	}
}

// Every verdict is a word, and what did not hold is open.
func TestHTMLShowsTheVerdict(t *testing.T) {
	doc := onlyOurHTML(t, []byte(rendered(t, HTML, fixture())))
	var open, all []string
	for n := range doc.Descendants() {
		if n.Data == "details" {
			text := textOf(n.FirstChild)
			all = append(all, text)
			if _, ok := attributeOf(n, "open"); ok {
				open = append(open, text)
			}
		}
	}
	if len(all) != len(fixture().Results[0].Checks) || len(open) != 1+2+len(hostile) {
		t.Errorf("%d of %d are open", len(open), len(all))
	}
	for _, text := range open {
		if !strings.Contains(text, "✗ BROKEN") && !strings.Contains(text, "? unmeasured") {
			t.Errorf("open: %q", text)
		}
	}
}

func attributeOf(n *html.Node, key string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val, true
		}
	}
	return "", false
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data + " ")
		}
	}
	return b.String()
}

var cssColour = regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{3,6});`)

// Text is readable in light, in dark and in print: WCAG 2 asks for 4.5 to 1.
func TestHTMLContrast(t *testing.T) {
	themes := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(style, -1)
	if len(themes) != 3 {
		t.Fatalf("%d themes, want light, dark and print", len(themes))
	}
	for i, theme := range themes {
		colour := map[string]float64{}
		for _, m := range cssColour.FindAllStringSubmatch(theme[1], -1) {
			colour[m[1]] = luminance(m[2])
		}
		pairs := [][2]string{{"text", "bg"}, {"text", "card"}, {"text", "sunk"}, {"soft", "bg"}, {"soft", "card"}, {"soft", "sunk"}, {"link", "bg"}, {"link", "card"}}
		for _, v := range []string{"held", "broken", "unmeasured", "accepted", "na"} {
			pairs = append(pairs, [2]string{v, v + "-bg"}, [2]string{v, "card"}, [2]string{"text", v + "-bg"}, [2]string{"link", v + "-bg"})
		}
		pairs = append(pairs, [2]string{"card", "broken"}) // a surviving weakening
		for _, p := range pairs {
			a, b := colour[p[0]], colour[p[1]]
			if ratio := (max(a, b) + .05) / (min(a, b) + .05); ratio < 4.5 {
				t.Errorf("theme %d: %s on %s is %.2f to 1", i, p[0], p[1], ratio)
			}
		}
	}
}

// luminance is WCAG's relative luminance of #rgb or #rrggbb.
func luminance(hex string) float64 {
	if len(hex) == 4 {
		hex = fmt.Sprintf("#%c%c%c%c%c%c", hex[1], hex[1], hex[2], hex[2], hex[3], hex[3])
	}
	var sum float64
	for i, weight := range []float64{.2126, .7152, .0722} {
		n, _ := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		c := float64(n) / 255
		if c <= .04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
