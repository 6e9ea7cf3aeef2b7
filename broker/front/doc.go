// Package front is the broker's HTTP/1.1 server for callers that nobody trusts:
// a request either has exactly one reading, or it is refused by a rule that has a
// name.
//
//	connection  →  ReadHead  →  Head  →  Handler  →  Exchange  →  response
//
// It is not net/http's server because that one is made to understand as many
// clients as it can: it takes absolute-form targets, bare line feeds, "..",
// repeated lengths that agree, two spaces and h2c prefaces, and by the time a
// handler runs it can no longer tell that they were there. Two parsers that read
// the same bytes differently are how requests are smuggled; here there is one. It
// reads a head of at most MaxHead bytes, and what comes out of it is built anew
// when the request is passed on: no byte of the framing that a caller sent ever
// reaches an upstream.
//
// What is refused, and by which rule, is the table Rules. A head that is refused
// ends its connection, as nobody can say where the next one would begin.
//
// The package knows nothing of policies, credentials or upstreams.
package front
