// Package gitwire knows git's smart HTTP protocol well enough to decide what a
// sandbox may do with a repository, and to say no in words that git shows.
//
// It is for a broker that stands between a stock git client and a real server. It
// opens no connection of its own (but for [Upstream], over the caller's transport)
// and holds nothing in memory that grows with the size of a push.
//
// # What is decided, and from what
//
// [Classify] takes the four requests of smart HTTP and nothing else: no dumb HTTP,
// no LFS, no second spelling of a path. [Access.Call] then decides on the
// repository. Fetching needs no more than that: the body of a git-upload-pack
// request is passed on as it came, compressed or not, in any protocol version,
// because all of its commands (ls-refs, fetch, object-info, bundle-uri) only read.
// So whoever may fetch a repository can read all of it: a server gives every object
// that it has to those who know its id, and a ref pattern would promise what it
// can't keep. Where only pushing is allowed, the names and ids of all refs are still
// seen, since a push begins with them.
//
// A push is decided from its commands, which come before the pack: [ReadCommands],
// then [Access.Decide]. One refused ref refuses the whole push. Git has no version 2
// for pushing; a server that is asked for one answers in version 0.
//
// # Force
//
// The commands of a push name the old and the new id, and don't say whether one
// descends from the other. The pack does: it holds the commits that the server lacks,
// so a fast-forward's old commit is the parent of one of them. [Inspector] streams
// the pack, takes the ids and parents of the commits on the way, and holds back the
// checksum that ends the pack until the question is settled. A server applies nothing
// of a pack that lacks its end; ending the request there undoes the push.
//
// A yes rests on nothing but hashes: it is a chain of commits, each of whose ids was
// computed from its bytes. Whatever the pack hides from the Inspector can only turn a
// yes into a "cannot tell", which is refused. Where the chain ends at a commit that
// the server has already (a branch moved along another one), the server can be asked:
// [Upstream] fetches commits without their trees and looks there.
//
// The old id is the client's word. That it is the ref's value is what the server
// checks when it locks the ref, as git, JGit and their kin do: a push that claims to
// create a ref that exists, or to update it from another id, fails there.
//
// With delete and without force, a branch can still be deleted and created anew
// somewhere else.
//
// # Push options
//
// They are refused: `-o merge_request.create -o merge_request.auto_merge` can bring
// to a protected branch what may only be pushed beside it.
//
// References: gitprotocol-http, gitprotocol-pack, gitprotocol-common, gitformat-pack
// and git-check-ref-format in git's documentation.
package gitwire
