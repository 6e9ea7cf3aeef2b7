package broker

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/tightship-dev/tightship/policy"
)

// stripped is what a caller's request loses, as it is about who sends or who passed
// it on, and neither is the caller's to say. A cookie is a login.
var stripped = map[string]bool{
	"Authorization": true, "Proxy-Authorization": true, "Proxy-Authenticate": true,
	"X-Api-Key": true, "Api-Key": true, "Apikey": true, "X-Goog-Api-Key": true, "X-Auth-Token": true, "X-Auth-Key": true,
	"Private-Token": true, "Job-Token": true, "Deploy-Token": true, "X-Amz-Security-Token": true,
	"Cookie": true, "Cookie2": true,
	"Forwarded": true, "Via": true, "X-Real-Ip": true, "X-Client-Ip": true, "True-Client-Ip": true, "X-Cluster-Client-Ip": true,
	"X-Host": true, "Cf-Connecting-Ip": true, "Max-Forwards": true,
}

// cleaned is a request's headers without what the broker decides about.
func cleaned(h http.Header, a policy.Attach) http.Header {
	own := ""
	if a.Style == policy.AttachHeader {
		own = http.CanonicalHeaderKey(a.Name)
	}
	for name := range h {
		if stripped[name] || name == own || strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "Proxy-") {
			delete(h, name)
		}
	}
	// What is compressed cannot be searched for the credential.
	h["Accept-Encoding"] = []string{"identity"}
	if _, ok := h["User-Agent"]; !ok {
		h["User-Agent"] = nil // and not Go's own
	}
	return h
}

// withoutParameter is a query without any spelling of a parameter.
func withoutParameter(query, name string) string {
	kept := make([]string, 0, 8)
	for part := range strings.SplitSeq(query, "&") {
		// Some servers part at ; as well.
		mine := false
		for piece := range strings.SplitSeq(part, ";") {
			key, _, _ := strings.Cut(piece, "=")
			if u, err := url.QueryUnescape(key); err != nil || strings.EqualFold(strings.TrimSpace(u), name) {
				mine = true
			}
		}
		if !mine && part != "" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "&")
}

// attach puts the value on a request. It is the only place that does, and is called
// when the intent is durable and at no other time. The request holds a copy of the
// value that Go cannot wipe; it lives as long as the request does.
func attach(r *http.Request, a policy.Attach, value []byte) {
	switch a.Style {
	case policy.AttachHeader:
		r.Header[http.CanonicalHeaderKey(a.Name)] = []string{string(value)}
	case policy.AttachBearer:
		r.Header["Authorization"] = []string{"Bearer " + string(value)}
	case policy.AttachBasic:
		r.Header["Authorization"] = []string{"Basic " + string(basic(a.Name, value))}
	case policy.AttachQuery:
		if r.URL.RawQuery != "" {
			r.URL.RawQuery += "&"
		}
		r.URL.RawQuery += url.QueryEscape(a.Name) + "=" + url.QueryEscape(string(value))
	}
}

// basic is a user and a password as RFC 7617 sends them.
func basic(user string, value []byte) []byte {
	both := append([]byte(user+":"), value...)
	defer clear(both)
	return base64.StdEncoding.AppendEncode(nil, both)
}
