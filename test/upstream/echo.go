package upstream

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// EchoPath is where every stand-in gives away what it was sent: the request line,
// each header and the body. The query says how: in=body (the default), header or
// trailer, form=raw (the default), base64, hex, percent or json, and split=N for a body
// that is sent in pieces of N bytes.
const EchoPath = "/echo"

var forms = map[string]func(string) string{
	"":        func(s string) string { return s },
	"raw":     func(s string) string { return s },
	"base64":  func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"hex":     func(s string) string { return hex.EncodeToString([]byte(s)) },
	"percent": url.QueryEscape,
	"json":    func(s string) string { b, _ := json.Marshal(s); return string(b) },
}

func echo(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	form, ok := forms[q.Get("form")]
	if !ok {
		http.Error(w, "no such form", http.StatusBadRequest)
		return
	}
	var all []string
	add := func(s string) { all = append(all, form(s)) }
	add(r.Method + " " + r.URL.RequestURI())
	for name, values := range r.Header {
		for _, v := range values {
			add(name + ": " + v)
			// Of the value alone too: an encoding of the whole line has others around it.
			_, rest, _ := strings.Cut(v, " ")
			add(v)
			add(rest)
			if pair, err := base64.StdEncoding.DecodeString(rest); err == nil {
				_, password, _ := strings.Cut(string(pair), ":")
				add(password)
			}
		}
	}
	slices.Sort(all[1:])
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	add(string(body))
	w.Header().Set("Content-Type", "text/plain")
	switch q.Get("in") {
	case "header":
		for i, s := range all {
			w.Header().Set(fmt.Sprintf("X-Echo-%d", i), oneLine(s))
		}
		fmt.Fprintln(w, "see the headers")
	case "trailer":
		fmt.Fprintln(w, "see the trailers")
		w.(http.Flusher).Flush()
		for i, s := range all {
			w.Header().Set(fmt.Sprintf("%sX-Echo-%d", http.TrailerPrefix, i), oneLine(s))
		}
	default:
		sendPieces(w, []byte(strings.Join(all, "\n")+"\n"), q.Get("split"))
	}
}

func oneLine(s string) string { return strings.NewReplacer("\r", "", "\n", "").Replace(s) }

// sendPieces sends each piece as a chunk of its own.
func sendPieces(w http.ResponseWriter, b []byte, split string) {
	n := 0
	if _, err := fmt.Sscan(split, &n); err != nil || n <= 0 {
		_, _ = io.Copy(w, bytes.NewReader(b))
		return
	}
	for piece := range slices.Chunk(b, n) {
		_, _ = w.Write(piece)
		w.(http.Flusher).Flush()
	}
}
