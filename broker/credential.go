package broker

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/tightship-dev/tightship/policy"
)

// live is a credential at work: its rule, its value, and what sends its requests. A
// change of the policy that leaves those alone keeps them, with the connections.
type live struct {
	*rule
	base      *url.URL
	pem       string // certificates of the route's CA
	transport *http.Transport
	vault     *vault
}

// newLive opens what a credential needs.
func newLive(r *rule, b *Broker, p *policy.Policy) (*live, error) {
	fail := func(err error) (*live, error) { return nil, fmt.Errorf("credential %s: %w", r.Name, err) }
	base, err := url.Parse(r.Route.Upstream)
	if err != nil {
		return fail(err)
	}
	pem, err := certificates(r.Route, p)
	if err != nil {
		return fail(err)
	}
	t, err := newTransport(r.Route, pem)
	if err != nil {
		return fail(err)
	}
	v, err := b.redactor.open(*r.Credential, b.o.Open)
	if err != nil {
		return fail(err)
	}
	return &live{rule: r, base: base, pem: pem, transport: t, vault: v}, nil
}

// next is the credential for a rule that this one serves. Where the file of its CA has
// other certificates now, it gets connections of its own.
func (l *live) next(r *rule, p *policy.Policy) (*live, error) {
	n := &live{rule: r, base: l.base, pem: l.pem, transport: l.transport, vault: l.vault}
	pem, err := certificates(r.Route, p)
	if err == nil && pem != l.pem {
		n.pem = pem
		n.transport, err = newTransport(r.Route, pem)
	}
	if err != nil {
		return nil, fmt.Errorf("credential %s: %w", r.Name, err)
	}
	return n, nil
}

// serves says whether a credential needs nothing that this one does not have.
func (l *live) serves(r *rule) bool {
	a, b := l.Route, r.Route
	return l.From == r.From && l.Attach == r.Attach && a.Upstream == b.Upstream && a.CA == b.CA && slices.Equal(a.Networks, b.Networks)
}

// close gives up what the credential holds. Answers that are under way are read to
// their end.
func (l *live) close() {
	l.transport.CloseIdleConnections()
	l.vault.redactor.retire(l.vault)
}
