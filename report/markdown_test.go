package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	rhtml "github.com/yuin/goldmark/renderer/html"
	"golang.org/x/net/html"
)

var gfm = goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote), goldmark.WithRendererOptions(rhtml.WithUnsafe()))

// onlyOurMarkdown renders Markdown as GitHub does and demands that nothing in it is
// an element that we did not write, nor a mention, an emoji or an address.
func onlyOurMarkdown(t *testing.T, md []byte) {
	t.Helper()
	if len(md) > MaxMarkdown {
		t.Errorf("%d bytes", len(md))
	}
	var b bytes.Buffer
	if err := gfm.Convert(md, &b); err != nil {
		t.Fatal(err)
	}
	doc, err := html.Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	ours := "html head body h1 h2 p strong table thead tbody tr th td details summary code pre ul li"
	for n := range doc.Descendants() {
		switch {
		case n.Type == html.ElementNode && !strings.Contains(" "+ours+" ", " "+n.Data+" "):
			t.Errorf("element %s in\n%s", n.Data, md)
		case n.Type == html.ElementNode:
			for _, a := range n.Attr {
				if a.Key != "class" || a.Val != "language-text" {
					t.Errorf("attribute %s=%q of %s", a.Key, a.Val, n.Data)
				}
			}
		case n.Type == html.TextNode && !insideCode(n) && mention.MatchString(n.Data):
			t.Errorf("GitHub would act on %q", n.Data)
		}
	}
}

func insideCode(n *html.Node) bool {
	for ; n != nil; n = n.Parent {
		if n.Data == "pre" || n.Data == "code" {
			return true
		}
	}
	return false
}

func TestMarkdownIsOnlyOurs(t *testing.T) {
	for _, r := range []Report{fixture(), several(), calm(proven), {}} {
		onlyOurMarkdown(t, []byte(rendered(t, Markdown, r)))
	}
	for _, h := range hostile {
		text := "| " + mdText(h) + " | " + mdCode(h) + " |\n|---|---|\n| " + mdText(h) + " | x |\n\n- " + mdText(h) + "\n\n" + mdText(h) + "\n"
		onlyOurMarkdown(t, []byte(text))
		var b bytes.Buffer
		if err := gfm.Convert([]byte(text), &b); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(b.String(), "<td>"); n != 2 {
			t.Errorf("%d cells of 2 with %q", n, h)
		}
	}
}

// What a reader sees is what was there.
func TestMarkdownShowsTheText(t *testing.T) {
	for _, h := range hostile {
		var b bytes.Buffer
		if err := gfm.Convert([]byte(mdText(h)), &b); err != nil {
			t.Fatal(err)
		}
		doc, err := html.Parse(&b)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for n := range doc.Descendants() {
			if n.Type == html.TextNode {
				text.WriteString(n.Data)
			}
		}
		if got, want := strings.Join(strings.Fields(text.String()), " "), strings.Join(strings.Fields(Sanitize(h, maxField)), " "); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

// Where there is no room, what held goes first, and it is said.
func TestMarkdownHasRoomForFailures(t *testing.T) {
	r := many(20000)
	checks := r.Results[0].Checks
	for i := range checks {
		checks[i].Verdict = pass
	}
	checks[len(checks)-1].Verdict = fail
	r.Results[0].Summary = Summarize(checks)
	out := rendered(t, Markdown, r)
	if len(out) > MaxMarkdown || len(out) < MaxMarkdown*9/10 {
		t.Errorf("%d bytes", len(out))
	}
	for _, want := range []string{"<summary>✗ BROKEN", "had no room here"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(rendered(t, Markdown, fixture()), "had no room here") {
		t.Error("a small report has no room")
	}
	onlyOurMarkdown(t, []byte(out))
}
