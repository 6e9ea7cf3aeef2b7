package policy

import "time"

// Credential is something that the agent may use and never holds: the broker,
// outside of the container, attaches it to a request on its way out.
type Credential struct {
	Name string `yaml:"name"` // unique; what the ledger and the broker's commands call it
	// From is where the value is, as KIND:REST with a kind of Sources. The value
	// itself is never in the file. A bare "env" is written out by Decode, as
	// env:GITHUB_TOKEN for a credential named github-token.
	From   string     `yaml:"from"`
	Route  Route      `yaml:"route"`
	Attach Attach     `yaml:"attach"`
	Allow  []Allow    `yaml:"allow"` // what matches none is denied; empty next to Git
	Git    *GitAccess `yaml:"git"`   // nil: not git
	Limits Bounds     `yaml:"limits"`
	// Sets is environment for the agent. In a value {port} is the port that the
	// forwarder in the container listens on.
	Sets map[string]string `yaml:"sets"`
}

// Sources is the kinds of Credential.From: a variable of the broker's own
// environment, a file, what a command prints, a file that age encrypted, an
// entry of the OS keyring, and the token file of an OAuth login, which the
// broker refreshes.
var Sources = []string{"env", "file", "exec", "age", "keyring", "oauth"}

// Route is which requests a credential is for, and where they go.
type Route struct {
	Listen   string `yaml:"listen"`   // path prefix at the broker, clean; "/" where it is the only route
	Upstream string `yaml:"upstream"` // https://HOST[:PORT][/BASE]
	CA       string `yaml:"ca"`       // PEM file for HostPath; "" is the system's roots
	// Networks is the ranges (CIDR) outside of the public internet that the
	// upstream's addresses may lie in. See Permits.
	Networks  []string `yaml:"networks"`
	WebSocket bool     `yaml:"websocket"` // whether a request may become a WebSocket
}

// Attach is how a credential is put on a request.
type Attach struct {
	Style AttachStyle
	// Name is the header's, the user's (may be "") or the parameter's; "" for
	// bearer.
	Name string
}

// AttachStyle is where on the request a credential goes.
type AttachStyle string

// The values of AttachStyle.
const (
	AttachHeader AttachStyle = "header" // the header Name, as it is
	AttachBearer AttachStyle = "bearer" // Authorization: Bearer (RFC 6750, section 2.1)
	AttachBasic  AttachStyle = "basic"  // Authorization: Basic, as the password of user Name (RFC 7617)
	AttachQuery  AttachStyle = "query"  // the parameter Name of the query
)

// Allow is requests that may be made: one of the methods on one of the paths.
// See Matches.
type Allow struct {
	Methods []string `yaml:"methods"` // upper case; GET does not imply HEAD
	Paths   []string `yaml:"paths"`   // patterns for what follows Route.Listen
}

// GitAccess is what may be done to repositories over git's smart HTTP. In
// patterns, * is any characters of one segment and ** any number of segments, at
// the end at least one. Force, Tags and Delete allow more to be done to the refs
// that Push matches, and nothing to others.
type GitAccess struct {
	Repositories []string `yaml:"repositories"` // patterns, as acme/widget; without .git
	Fetch        bool     `yaml:"fetch"`
	Push         []string `yaml:"push"`   // patterns of refs, as refs/heads/agent/*
	Force        bool     `yaml:"force"`  // updates that are no fast-forward, tags that move
	Tags         bool     `yaml:"tags"`   // refs below refs/tags/
	Delete       bool     `yaml:"delete"` // refs that go away
}

// Bounds is how much a sandbox may use a credential. 0 is unlimited.
type Bounds struct {
	Rate        Rate   `yaml:"rate"`
	Concurrency Count  `yaml:"concurrency"` // requests under way at once
	Body        Size   `yaml:"body"`        // of one request
	Budget      Budget `yaml:"budget"`
}

// Budget is what a sandbox may use in its whole life.
type Budget struct {
	Requests Count `yaml:"requests"` // 0 is unlimited
}

// Rate is how many requests may begin in a unit of time, written as 10/s,
// 100/min, 1000/h or unlimited (the zero value).
type Rate struct {
	Requests int64
	Per      time.Duration // a second, a minute or an hour
}

// defaultCredential is what an entry of the list starts from.
func defaultCredential() Credential {
	return Credential{
		Route:  Route{Networks: []string{}},
		Allow:  []Allow{},
		Limits: Bounds{Concurrency: 8, Body: 32 << 20},
		Sets:   map[string]string{},
	}
}

// defaultGit is what a git section starts from. Its credential's
// Limits.Body is unlimited unless the file says otherwise, as a push is one body.
func defaultGit() GitAccess {
	return GitAccess{Repositories: []string{}, Fetch: true, Push: []string{}}
}
