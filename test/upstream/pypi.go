package upstream

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// PyPI is a package index with one project, version 1.0, a wheel whose module
// `name` has the given text as TEXT: the simple API as HTML (PEP 503) or, for who asks
// for it, as JSON (PEP 691), with relative links as private indexes have them.
func PyPI(name, text string) (http.Handler, error) {
	file := fmt.Sprintf("%s-1.0-py3-none-any.whl", name)
	w, err := wheel(name, text)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(w)
	digest := hex.EncodeToString(sum[:])
	project := strings.ReplaceAll(name, "_", "-") // as PEP 503 writes it
	const jsonType = "application/vnd.pypi.simple.v1+json"
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			http.Error(rw, "read only", http.StatusMethodNotAllowed)
		case r.URL.Path == "/simple/"+project+"/" && strings.Contains(r.Header.Get("Accept"), jsonType):
			rw.Header().Set("Content-Type", jsonType)
			fmt.Fprintf(rw, `{"meta":{"api-version":"1.0"},"name":%q,"files":[{"filename":%q,"url":"../../files/%s","hashes":{"sha256":%q}}]}`,
				project, file, file, digest)
		case r.URL.Path == "/simple/"+project+"/":
			rw.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(rw, "<!DOCTYPE html><html><body><a href=\"../../files/%s#sha256=%s\">%s</a></body></html>\n", file, digest, file)
		case r.URL.Path == "/files/"+file:
			rw.Header().Set("Content-Type", "application/octet-stream")
			rw.Header().Set("Content-Length", strconv.Itoa(len(w)))
			_, _ = rw.Write(w)
		default:
			http.NotFound(rw, r)
		}
	}), nil
}

// wheel makes a wheel (PEP 427).
func wheel(name, text string) ([]byte, error) {
	info := name + "-1.0.dist-info/"
	files := [][2]string{
		{name + ".py", fmt.Sprintf("TEXT = %q\n", text)},
		{info + "METADATA", "Metadata-Version: 2.1\nName: " + name + "\nVersion: 1.0\n"},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: stand-in\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
	}
	var record strings.Builder
	for _, f := range files {
		sum := sha256.Sum256([]byte(f[1]))
		fmt.Fprintf(&record, "%s,sha256=%s,%d\n", f[0], base64.RawURLEncoding.EncodeToString(sum[:]), len(f[1]))
	}
	record.WriteString(info + "RECORD,,\n")
	files = append(files, [2]string{info + "RECORD", record.String()})
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		w, err := z.Create(f[0])
		if err != nil {
			return nil, err
		}
		if _, err := w.Write([]byte(f[1])); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
