package broker

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/tightship-dev/tightship/broker/front"
	"github.com/tightship-dev/tightship/policy"
)

// Decision is what the policy says of a request.
type Decision struct {
	Allowed    bool   `json:"allowed"`
	Credential string `json:"credential"` // "" where no route leads anywhere
	Route      string `json:"route"`      // the prefix that matched
	Method     string `json:"method"`
	Path       string `json:"path"` // below the route, as it was sent
	// Rule is the line that allows ("credentials[anthropic].allow[0]") or the rule
	// that denies ("no-route", "not-allowed", …).
	Rule   string `json:"rule"`
	Reason string `json:"reason"`
	// AllowLine is the line of the policy that would allow the request, "" where no
	// line would. Of git's settings it can be several.
	AllowLine string `json:"allow_line,omitempty"`
	// Where is the part of the policy that AllowLine belongs to.
	Where string `json:"where,omitempty"`
	// Note is what else an allowed push depends on.
	Note string `json:"note,omitempty"`
}

// The rules that deny by policy.
const (
	RuleNoRoute      = "no-route"
	RuleNotAllowed   = "not-allowed"
	RuleEncodedSlash = "encoded-slash"
	RuleUpgrade      = "upgrade"
	RuleGit          = "git"
)

// ErrRef says that Check was asked about a ref, and the request is no push.
var ErrRef = errors.New("it is no push, so no ref is decided on")

// Check says what the broker would do with a request, and sends nothing. The target
// is a URL of an upstream, or a path at the broker. Of a push it decides on ref, a full
// name as refs/heads/x; where that is "", the Note says which are allowed. The error
// says that the target is neither, or that it is refused whatever the policy says
// (*front.Refusal), or is ErrRef.
func Check(p *policy.Policy, method, target, ref string) (Decision, error) {
	path := target
	if !strings.HasPrefix(target, "/") {
		u, err := url.Parse(target)
		if err != nil || u.Scheme != "https" || u.Host == "" {
			return Decision{}, fmt.Errorf("%q is no request: want https://HOST/PATH or a path at the broker", target)
		}
		var ok bool
		if path, ok = pathAt(p, u); !ok {
			return Decision{
				Method: method, Path: u.EscapedPath(), Rule: RuleNoRoute,
				Reason: fmt.Sprintf("no credential has a route to %s", u.Host),
			}, nil
		}
	}
	head, err := front.ReadTarget(method, path)
	if err != nil {
		return Decision{}, err
	}
	t := newTable(p)
	r, rest := t.find(head.Path)
	d := decide(t, r, head, rest)
	if d.Allowed && r.Git != nil {
		return checkGit(d, r.Credential, head, ref)
	}
	if ref != "" {
		err = ErrRef
	}
	return d, err
}

// pathAt is where the broker serves what has a URL.
func pathAt(p *policy.Policy, u *url.URL) (string, bool) {
	best, found := "", -1
	for _, c := range p.Credentials {
		up, err := url.Parse(c.Route.Upstream)
		if err != nil || !sameHost(up, u) {
			continue
		}
		rest, ok := below(strings.TrimSuffix(up.EscapedPath(), "/"), u.EscapedPath())
		if ok && len(up.Path) > found {
			best, found = strings.TrimSuffix(c.Route.Listen, "/")+rest, len(up.Path)
			if u.RawQuery != "" {
				best += "?" + u.RawQuery
			}
		}
	}
	return best, found >= 0
}

// sameHost says whether two URLs name one server.
func sameHost(a, b *url.URL) bool {
	port := func(u *url.URL) string {
		if p := u.Port(); p != "" {
			return p
		}
		return "443"
	}
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b) && b.User == nil
}

// below is the rest of a path under a prefix of whole segments; "/" where nothing
// is left.
func below(prefix, path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, prefix)
	switch {
	case !ok:
		return "", false
	case rest == "":
		return "/", true
	}
	return rest, rest[0] == '/'
}

// decide holds a request against its route.
func decide(t *table, r *rule, h *front.Head, rest string) Decision {
	d := Decision{Method: h.Method, Path: rest}
	if r == nil {
		d.Path, d.Rule = h.Path, RuleNoRoute
		d.Reason = fmt.Sprintf("no route begins with %s: the routes are %s", firstSegment(h.Path), t.names())
		return d
	}
	d.Credential, d.Route = r.Name, r.Route.Listen
	if h.Upgrade != "" && !r.Route.WebSocket {
		d.Rule, d.Reason = RuleUpgrade, fmt.Sprintf("the route %s allows no WebSocket", r.Route.Listen)
		d.AllowLine, d.Where = "route: {websocket: true}", "credentials["+r.Name+"]"
		return d
	}
	if r.Git != nil {
		d.Allowed, d.Rule = true, "credentials["+r.Name+"].git" // gitGate decides
		return d
	}
	if i, ok := r.allows(h, rest); ok {
		d.Allowed, d.Rule = true, fmt.Sprintf("credentials[%s].allow[%d]", r.Name, i)
		return d
	}
	d.Rule = RuleNotAllowed
	d.Reason = fmt.Sprintf("the credential %s may not be used for %s %s", r.Name, h.Method, rest)
	if h.EncodedSlash {
		d.Rule, d.Reason = RuleEncodedSlash, fmt.Sprintf("the path has an encoded slash, which must be spelled out as %%2f in an allow line of %s", r.Name)
	}
	d.AllowLine, d.Where = allowLine(h.Method, rest), "credentials["+r.Name+"].allow"
	return d
}

// plainYAML is what YAML reads as itself in a flow sequence.
var plainYAML = regexp.MustCompile(`^/[A-Za-z0-9._~/@+-]*$`)

// allowLine is the entry of allow that allows exactly one request.
func allowLine(method, path string) string {
	shown := folded(path)
	if !plainYAML.MatchString(shown) {
		shown = fmt.Sprintf("%q", shown)
	}
	return fmt.Sprintf("- {methods: [%s], paths: [%s]}", method, shown)
}

func firstSegment(path string) string {
	segment, _, _ := strings.Cut(path[1:], "/")
	if len(segment) > 40 {
		segment = segment[:40]
	}
	return "/" + segment
}
