// Package upstream has stand-ins for the services that agents use with a credential.
//
// The protocols are the real ones, so that unmodified clients can be tried against
// them without a network: the Anthropic Messages API, OpenAI's chat completions, an
// npm registry, a Python package index, git's own http-backend and a WebSocket. Each
// is behind TLS with an authority of its own and demands the real credential of every
// request, in one place and exactly once. What lacks it gets 401 and no more.
//
//	s, err := upstream.Start(upstream.Bearer(token), upstream.OpenAI("hello"))
//	defer s.Close()
//	… s.URL, s.CA …
//	for _, u := range s.Uses() { … }
//
// Every request is recorded before it is judged, with an ID that no other has, so that
// what was used can be held against what a ledger says. Each stand-in also plays an
// upstream that gives away what it was sent: see Echo.
package upstream
