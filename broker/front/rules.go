package front

import (
	"fmt"
	"net/http"
)

// Refusal is why a request is not taken. It is the error of everything here that
// reads what a caller sent.
type Refusal struct {
	Rule   string // a key of Rules
	Status int    // HTTP status, 4xx or 5xx
	Reason string // one sentence for whoever wrote the client
}

func (r *Refusal) Error() string { return r.Reason + " (rule " + r.Rule + ")" }

// Rules is every rule by which a request is refused, and the status of the answer.
var Rules = map[string]int{
	// the request line
	"request-line":  http.StatusBadRequest, // not METHOD SP TARGET SP HTTP/1.1
	"method":        http.StatusBadRequest, // not a word of A to Z, - and _
	"connect":       http.StatusMethodNotAllowed,
	"trace":         http.StatusMethodNotAllowed, // echoes what it was sent
	"version":       http.StatusHTTPVersionNotSupported,
	"http2-preface": http.StatusHTTPVersionNotSupported,
	"target-form":   http.StatusBadRequest, // absolute-form, authority-form or *
	// lines
	"bare-lf":    http.StatusBadRequest,
	"bare-cr":    http.StatusBadRequest,
	"long-line":  http.StatusRequestHeaderFieldsTooLarge,
	"long-head":  http.StatusRequestHeaderFieldsTooLarge,
	"many-lines": http.StatusRequestHeaderFieldsTooLarge,
	"obs-fold":   http.StatusBadRequest, // a header that goes on on the next line
	"slow-head":  http.StatusRequestTimeout,
	// the path
	"path-character":  http.StatusBadRequest,
	"query-character": http.StatusBadRequest,
	"fragment":        http.StatusBadRequest,
	"percent":         http.StatusBadRequest, // % without two hex digits behind it
	"double-encoding": http.StatusBadRequest, // %25 with two hex digits behind it
	"encoded-slash":   http.StatusBadRequest, // where no allow line spells it out
	"encoded-dot":     http.StatusBadRequest,
	"encoded-control": http.StatusBadRequest,
	"backslash":       http.StatusBadRequest, // as it is or encoded
	"utf8":            http.StatusBadRequest, // overlong forms among them
	"lookalike":       http.StatusBadRequest, // other characters that fold to / . \
	"dot-segment":     http.StatusBadRequest, // . and .., with parameters or without
	"empty-segment":   http.StatusBadRequest, // //
	// headers
	"header-name":     http.StatusBadRequest,
	"header-value":    http.StatusBadRequest,
	"host-missing":    http.StatusBadRequest,
	"host-repeated":   http.StatusBadRequest,
	"host":            http.StatusBadRequest,
	"repeated":        http.StatusBadRequest, // of a header that there is one of
	"connection":      http.StatusBadRequest, // naming a header that is not the connection's
	"upgrade":         http.StatusBadRequest, // to what the route does not allow
	"te":              http.StatusBadRequest,
	"expect":          http.StatusExpectationFailed,
	"range":           http.StatusBadRequest, // would cut a response where it hides a secret
	"method-override": http.StatusBadRequest, // another method than the one decided on
	"path-override":   http.StatusBadRequest,
	"trailer":         http.StatusBadRequest,
	// the body
	"content-length":    http.StatusBadRequest,
	"length-repeated":   http.StatusBadRequest,
	"length-and-chunks": http.StatusBadRequest,
	"transfer-encoding": http.StatusNotImplemented,
	"chunk":             http.StatusBadRequest,
	"body-ended":        http.StatusBadRequest,
	"slow-body":         http.StatusRequestTimeout,
	"body-size":         http.StatusRequestEntityTooLarge,
}

// Refuse makes a Refusal; the rule must be one of Rules.
func Refuse(rule, format string, args ...any) *Refusal {
	status, ok := Rules[rule]
	if !ok {
		panic("front: there is no rule " + rule)
	}
	return &Refusal{rule, status, fmt.Sprintf(format, args...)}
}
