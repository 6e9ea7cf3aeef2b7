package report

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
)

//go:embed html
var htmlFiles embed.FS

// style is the one stylesheet of our pages. Its hash is all that the pages'
// Content-Security-Policy lets in: should text of a container's ever come out as
// markup, there is nothing that it could load or run.
var style = func() string {
	b, err := htmlFiles.ReadFile("html/style.css")
	if err != nil {
		panic(err) // it is embedded
	}
	return string(b)
}()

var htmlTemplates = template.Must(template.ParseFS(htmlFiles, "html/*.tmpl"))

// htmlHead is what every page of ours begins with.
type htmlHead struct {
	Title string
	CSS   template.CSS
	Hash  string
}

func newHTMLHead(title, css string) htmlHead {
	sum := sha256.Sum256([]byte(css))
	return htmlHead{title, template.CSS(css), "sha256-" + base64.StdEncoding.EncodeToString(sum[:])}
}

// HTML writes r as one page that needs nothing else: no script, no font, no
// network. Evidence unfolds, and is unfolded in print; light or dark is the
// reader's choice; verdicts are words and signs, never a colour alone.
func HTML(w io.Writer, r Report) error {
	return execute(w, "report", newHTMLReport(r))
}

func execute(w io.Writer, name string, page any) error {
	// A page whose end is missing would look like one without failures.
	var b bytes.Buffer
	if err := htmlTemplates.ExecuteTemplate(&b, name, page); err != nil {
		return fmt.Errorf("render HTML: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}
