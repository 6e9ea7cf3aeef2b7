// Package secret is where credentials come from, and where they are kept while
// the broker runs.
//
//	Open("KIND:REST")  →  Source  →  Keeper  →  Use(func(b []byte))
//
// A Source fetches one credential: from a variable, a file, a command, a file
// encrypted with age, the keyring of the operating system, or the file in which
// an agent's own login keeps its tokens. A Keeper holds what one Source gave,
// fetches again before it expires or when its file changes, and lends it out. A
// Value is the credential itself. No call of this package returns it: it is lent
// to a function, for as long as the function runs.
//
// # What is promised
//
// A Value lies in memory of its own, outside of Go's heap: locked, so that it is
// not swapped out, left out of core dumps, and wiped before it is given back.
// Where the kernel refuses, Value.Locked says so. file: and exec: read straight
// into that memory. A Value prints as [secret] whatever prints it. No error of
// this package holds a value, or what a command wrote to its standard output, or
// what a token endpoint said in words. Harden keeps other processes of the same
// user from reading this one's memory, and keeps the kernel from dumping it.
//
// # What Go cannot promise
//
// That there is no other copy. Go's heap moves no objects, but it does not wipe
// what it frees, and a string cannot be wiped at all:
//
//   - env: the variable is removed from this process's environment, so that its
//     children do not inherit it. Go's own copy of the environment stays in its
//     heap, and the kernel's in /proc/PID/environ, for the life of the process.
//     Harden keeps others of the same user from reading either.
//   - age: the library decrypts in buffers of its own, and the keys that open the
//     file pass through its memory.
//   - keyring: the library returns a string, which D-Bus or another program
//     carried.
//   - oauth: the tokens travel in the body of an HTTPS request and of its answer,
//     and TLS and net/http copy them. A token with an escaped character in its
//     file becomes a string.
//   - Whoever uses a Value as a header of net/http makes a string of it.
//   - A pipe's buffer, and the pages of the file that was read, are the kernel's.
//
// Root, and whoever may trace this process, reads all of it in any case.
package secret
