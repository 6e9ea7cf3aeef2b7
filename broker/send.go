package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"

	"github.com/tightship-dev/tightship/broker/front"
	"github.com/tightship-dev/tightship/policy"
)

// The rules of upstreams that are of no use.
const (
	RuleAddress  = "address"  // it leads to where the route may not go
	RuleTLS      = "tls"      // it is not who it should be
	RuleTimeout  = "timeout"  // it does not answer
	RuleUpstream = "upstream" // it cannot be reached, or ends in the middle
)

// errValue is a credential whose value went away after its intent was recorded.
var errValue = errors.New("the credential's value cannot be had")

// send makes the request anew and sends it with the credential. Stale says that it
// failed on a connection that had been idle and may be sent again. The intent must
// have been recorded.
func (c *call) send() (resp *http.Response, stale bool, err error) {
	head := c.x.Head
	ctx, reused := c.x.Context(), false
	repeatable := c.body == nil && head.Upgrade == "" && (head.Method == "GET" || head.Method == "HEAD" || head.Method == "OPTIONS")
	if repeatable {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }})
	}
	req := c.request(ctx)
	if c.git != nil && c.git.push != nil {
		req.Body = c.git.push.start(ctx)
	}
	if err = c.live.vault.use(ctx, func(b []byte) { attach(req, c.live.Attach, b) }); err != nil {
		return nil, false, fmt.Errorf("%w: %w", errValue, err)
	}
	resp, err = c.live.transport.RoundTrip(req)
	return resp, err != nil && repeatable && reused && !errors.As(err, new(net.Error)), err
}

// request is the request without its credential.
func (c *call) request(ctx context.Context) *http.Request {
	head, a := c.x.Head, c.live.Attach
	query := head.Query
	if a.Style == policy.AttachQuery {
		query = withoutParameter(query, a.Name)
	}
	header := cleaned(head.Header.Clone(), a)
	req := &http.Request{
		Method: head.Method, URL: target(c.live.base, c.rest, query, head.Asks), Host: c.live.base.Host,
		Header: header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	switch {
	case head.Upgrade != "":
		req.Body = empty{}
		header["Connection"], header["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
		delete(header, "Sec-Websocket-Extensions") // what is compressed cannot be searched
	case c.length != 0 && c.x.BodyWhole():
		// In memory, so that nothing can be wrong with it any more. Undisguised, net/http
		// sends it in one piece with the head.
		req.Body, req.ContentLength = c.body.ReadCloser, c.length
	case c.length != 0:
		req.Body, req.ContentLength = c.body, c.length
	default:
		req.Body = empty{}
	}
	return req.WithContext(ctx)
}

// empty is a body that keeps net/http from sending a request a second time by itself,
// as it does with those that have none, http.NoBody or a GetBody: that use of the
// credential would have no record.
type empty struct{}

func (empty) Read([]byte) (int, error) { return 0, io.EOF }
func (empty) Close() error             { return nil }

// upload is a caller's body that remembers by which rule it ended.
type upload struct {
	io.ReadCloser
	why atomic.Pointer[front.Refusal]
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	var r *front.Refusal
	if errors.As(err, &r) {
		u.why.Store(r)
	}
	return n, err
}

func (u *upload) refusal() *front.Refusal { return u.why.Load() }

// upstreamDenial says what is wrong with an upstream.
func upstreamDenial(host string, err error) *denial {
	var timeout net.Error
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.Is(err, errValue):
		return deny(RuleSecret, http.StatusBadGateway, "%v", errValue).because(err)
	case errors.Is(err, ErrAddress):
		return deny(RuleAddress, http.StatusBadGateway, "%s leads to an address that its route does not permit (%v): list its range in route.networks if that is meant", host, cause(err))
	case errors.As(err, &cert), errors.As(err, &unknown):
		return deny(RuleTLS, http.StatusBadGateway, "%s has no certificate that counts: %v", host, err)
	case errors.As(err, &dns):
		return deny(RuleUpstream, http.StatusBadGateway, "the name %s cannot be looked up: %s", host, dns.Err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return deny(RuleTimeout, http.StatusGatewayTimeout, "%s does not answer: %v", host, err)
	}
	return deny(RuleUpstream, http.StatusBadGateway, "%s: %v", host, err)
}

// cause takes the layers of package net off an error.
func cause(err error) error {
	for {
		var op *net.OpError
		var u *url.Error
		switch {
		case errors.As(err, &op):
			err = op.Err
		case errors.As(err, &u):
			err = u.Err
		default:
			return err
		}
	}
}
