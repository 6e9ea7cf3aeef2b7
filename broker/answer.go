package broker

import "encoding/json"

// problem is the body of every answer that is the broker's own. It has the form of
// the errors of the usual APIs, so that clients show the message, and says what a
// model needs to do something else or to ask for the right line.
type problem struct {
	Error problemError `json:"error"`
}

type problemError struct {
	Type      string `json:"type"`
	Message   string `json:"message"`
	Denied    string `json:"denied,omitempty"`
	Rule      string `json:"rule"`
	AllowLine string `json:"allow_line,omitempty"`
	Where     string `json:"where,omitempty"`
}

// The values of problemError.Type.
const (
	typeDenied   = "tightship_denied"   // the request is not allowed
	typeRefused  = "tightship_refused"  // the request has no safe reading
	typeLimit    = "tightship_limit"    // too much of it
	typeUpstream = "tightship_upstream" // the upstream, or its answer, is of no use
	typeBroker   = "tightship_broker"   // the broker cannot do its work
)

func (p problemError) body() []byte {
	p.Message = "tightship: " + p.Message
	b, err := json.Marshal(problem{p})
	if err != nil { // strings always marshal
		return []byte(`{"error":{"type":"tightship_broker"}}`)
	}
	return append(b, '\n')
}

// typeOf is the type of a denial, by its status.
func typeOf(status int) string {
	switch {
	case status == 403:
		return typeDenied
	case status == 429:
		return typeLimit
	case status == 503:
		return typeBroker
	case status >= 500 && status != 501 && status != 505:
		return typeUpstream
	}
	return typeRefused
}
