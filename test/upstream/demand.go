package upstream

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// Demand is where a stand-in wants its credential.
type Demand struct {
	header, value string // a header as a whole
	query         string // or a parameter of the query
	challenge     string // of WWW-Authenticate, "" for none
}

// Header demands a value in a header of its own, as x-api-key.
func Header(name, value string) Demand { return Demand{header: name, value: value} }

// Bearer demands a token (RFC 6750, section 2.1).
func Bearer(token string) Demand {
	return Demand{header: "Authorization", value: "Bearer " + token, challenge: `Bearer realm="stand-in"`}
}

// Basic demands a user and a password (RFC 7617).
func Basic(user, password string) Demand {
	pair := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	return Demand{header: "Authorization", value: "Basic " + pair, challenge: `Basic realm="stand-in"`}
}

// Query demands a parameter.
func Query(name, value string) Demand { return Demand{query: name, value: value} }

// Meet puts the credential on a request, as the broker should.
func (d Demand) Meet(r *http.Request) {
	if d.query == "" {
		r.Header.Set(d.header, d.value)
		return
	}
	q := r.URL.Query()
	q.Set(d.query, d.value)
	r.URL.RawQuery = q.Encode()
}

// met says whether a request has the credential, once and nowhere else: a client's
// placeholder next to it, or the value in a second place, is a mistake of the broker's.
func (d Demand) met(r *http.Request) bool {
	var got []string
	if d.query != "" {
		got = r.URL.Query()[d.query]
	} else {
		got = r.Header.Values(d.header)
	}
	if len(got) != 1 || got[0] != d.value {
		return false
	}
	elsewhere := 0
	if d.query == "" {
		elsewhere = strings.Count(r.URL.RawQuery, d.value) - 1 // its own place is one of those below
	}
	for _, values := range r.Header {
		for _, v := range values {
			elsewhere += strings.Count(v, d.value)
		}
	}
	return elsewhere == 0
}
