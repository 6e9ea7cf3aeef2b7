package front

import (
	"bufio"
	"net/http"
	"net/textproto"
	"strings"
)

// Head is a request's head with its one reading.
type Head struct {
	Method string
	Path   string // as it was sent, percent-encoded; begins with one slash
	Query  string // as it was sent, without the question mark
	Asks   bool   // there was a question mark
	// EncodedSlash says that Path holds a %2f, which the handler must refuse unless
	// somebody allowed that very path.
	EncodedSlash bool
	Host         string
	// Header is what is meant for the other end: without Host and without what is
	// between us and the caller (Connection, Content-Length, Transfer-Encoding, TE,
	// Expect, Upgrade, Keep-Alive, Proxy-Connection). Names are in canonical form.
	Header  http.Header
	Length  int64  // of the body in bytes; -1 is chunked
	Upgrade string // "websocket" or ""

	close   bool // the caller wants no second request
	waiting bool // Expect: 100-continue
}

// ReadHead reads one request's head. The error is io.EOF where nothing came, a
// *Refusal, or what the connection said.
func ReadHead(r *bufio.Reader) (*Head, error) {
	head, _, err := readHead(r, nil)
	return head, err
}

// readHead is ReadHead with a buffer to use again.
func readHead(r *bufio.Reader, buf []byte) (*Head, []byte, error) {
	buf, err := readLines(r, buf[:0])
	if err != nil {
		return nil, buf, err
	}
	h, err := parseHead(string(buf))
	return h, buf, err
}

// parseHead takes a head whose lines end with CR LF, the last of them empty.
func parseHead(text string) (*Head, error) {
	line, rest, _ := strings.Cut(text, "\r\n")
	h := &Head{Header: make(http.Header, 16)}
	if r := h.requestLine(line); r != nil {
		return nil, r
	}
	f := fields{head: h}
	for {
		line, rest, _ = strings.Cut(rest, "\r\n")
		if line == "" {
			break
		}
		if r := f.add(line); r != nil {
			return nil, r
		}
	}
	if r := f.finish(); r != nil {
		return nil, r
	}
	return h, nil
}

func (h *Head) requestLine(line string) *Refusal {
	if line == "PRI * HTTP/2.0" {
		return Refuse("http2-preface", "this is HTTP/2, want HTTP/1.1")
	}
	method, rest, ok := strings.Cut(line, " ")
	target, version, ok2 := strings.Cut(rest, " ")
	if !ok || !ok2 || target == "" {
		return Refuse("request-line", "the first line is not METHOD TARGET HTTP/1.1 with one space between each")
	}
	for i := range len(method) {
		if c := method[i]; (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return Refuse("method", "the method has the byte %#02x, want A to Z, - and _", c)
		}
	}
	switch {
	case len(method) > 32:
		return Refuse("method", "the method is longer than 32 bytes")
	case method == "CONNECT":
		return Refuse("connect", "the broker makes no tunnels: send the request itself to a route")
	case method == "TRACE" || method == "TRACK":
		return Refuse("trace", "%s is never passed on, as it echoes what it was sent", method)
	case strings.ContainsAny(version, " \t"):
		return Refuse("request-line", "the first line has more than two spaces")
	case version != "HTTP/1.1":
		return Refuse("version", "the version is %.20q, want HTTP/1.1", version)
	case target[0] != '/':
		return Refuse("target-form", "the target is %.40q, want a path: a broker is no proxy", target)
	}
	h.Method = method
	return h.target(target)
}

func (h *Head) target(target string) *Refusal {
	if strings.Contains(target, "#") {
		return Refuse("fragment", "the target has a fragment")
	}
	h.Path, h.Query, h.Asks = strings.Cut(target, "?")
	var r *Refusal
	if h.EncodedSlash, r = checkPath(h.Path); r != nil {
		return r
	}
	return checkQuery(h.Query)
}

// fields collects headers, and what they say about the message.
type fields struct {
	head *Head
	seen map[string]bool // of the headers of which there may be one

	host, length, encoding, expect, upgrade, te string
	connection                                  []string
}

// singles are headers that mean nothing, or two things, when there are two.
var singles = map[string]string{
	"Host": "host-repeated", "Content-Length": "length-repeated", "Transfer-Encoding": "transfer-encoding",
	"Content-Type": "repeated", "Content-Encoding": "repeated", "Authorization": "repeated",
	"X-Api-Key": "repeated", "Expect": "expect", "Upgrade": "upgrade", "Te": "te",
}

// refused are headers that make another request of the one that was decided on.
var refused = map[string]string{
	"Range": "range", "If-Range": "range", "Request-Range": "range",
	"X-Http-Method": "method-override", "X-Http-Method-Override": "method-override", "X-Method-Override": "method-override",
	"X-Original-Url": "path-override", "X-Original-Uri": "path-override", "X-Rewrite-Url": "path-override",
	"X-Forwarded-Prefix": "path-override", "X-Forwarded-Path": "path-override", "X-Forwarded-Uri": "path-override",
	"Trailer": "trailer", "Http2-Settings": "upgrade",
}

func (f *fields) add(line string) *Refusal {
	if line[0] == ' ' || line[0] == '\t' {
		return Refuse("obs-fold", "a header goes on on the next line")
	}
	name, value, ok := strings.Cut(line, ":")
	if !ok || !isToken(name) || strings.Contains(name, "_") {
		// Some servers turn _ into -, and so a header into another one.
		return Refuse("header-name", "a header has the name %.40q, want letters, digits and -", name)
	}
	value = strings.Trim(value, " \t")
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return Refuse("header-value", "the header %s has the control character %#02x", name, c)
		}
	}
	name = textproto.CanonicalMIMEHeaderKey(name)
	if rule := refused[name]; rule != "" {
		return Refuse(rule, "the header %s is not taken", name)
	}
	if rule := singles[name]; rule != "" {
		if f.seen[name] {
			return Refuse(rule, "there are two headers %s", name)
		}
		if f.seen == nil {
			f.seen = map[string]bool{}
		}
		f.seen[name] = true
	}
	switch name {
	case "Host":
		f.host = value
	case "Content-Length":
		f.length = value
	case "Transfer-Encoding":
		f.encoding = value
	case "Expect":
		f.expect = value
	case "Upgrade":
		f.upgrade = value
	case "Te":
		f.te = value
	case "Connection":
		f.connection = append(f.connection, value)
	case "Keep-Alive", "Proxy-Connection":
	default:
		f.head.Header[name] = append(f.head.Header[name], value)
	}
	return nil
}

// ReadTarget reads a method and a target as ReadHead would.
func ReadTarget(method, target string) (*Head, error) {
	h := &Head{}
	if r := h.requestLine(method + " " + target + " HTTP/1.1"); r != nil {
		return nil, r
	}
	return h, nil
}
