// Package redact takes secret values out of what an upstream answers, in a
// streaming way and in every rendering that it claims to know.
//
// The threat is an echo: an upstream that repeats the request (an error page, a
// debug endpoint, a log line) would hand the credential to the agent that must
// never hold it. An upstream that means harm is not the threat: it was given the
// value, and can leak it by any code that it likes.
//
//	set, err := redact.Compile(value)
//	body = set.Reader(response.Body, func(form string) { … })
//	text, n := set.Text(header)
//
// # What is found
//
// Forms lists it, as data: the value as it is, with its spaces as plus signs, in
// base64 of both alphabets at all three offsets (which is what Basic is: the value
// after "user:"), and in hex of both cases; each of them also where some or all of
// its characters are percent-encoded, or escaped as in a JSON string. What is found
// becomes Placeholder, whose length says nothing about the value's. Of base64, the
// character on either side that has bits of the value goes too; padding can remain.
// Matches that overlap become one placeholder, so that no end of one sticks out.
//
// Not claimed, and not found: a piece of a value; a value in other letters' case;
// two encodings over each other, except that base64 and hex may be escaped once
// (up to six times the value's length); base64 in lines, base32, HTML entities,
// UTF-16, compression or encryption; a value cut in two by framing that this
// package cannot see. So the caller asks the upstream for the identity encoding,
// refuses Range, and reads through whatever framing there is (chunks, frames)
// before it comes here. The text changes its length: the caller drops
// Content-Length, ETag and digests, and puts headers and trailers through Text.
// A limit on the body belongs behind the Reader, or it must end in an error: a
// source that stops in the middle of a value and says io.EOF shows its beginning.
//
// # Time tells nothing about a guess
//
// An agent may send guesses and have them echoed. If a byte were held back because
// it looks like the start of a value, then its delay would give the value away,
// byte by byte. So Reader holds back the last bytes of the stream, always as many
// (one less than the longest form of the longest value, six bytes for each of its
// own and twelve), until more come or the stream ends. How much is read, held,
// given out and looked at depends on the sizes of the reads and on where in the
// stream escapes are. It does not depend on the values, until one is found whole.
//
// For the same reason this is no automaton, whose state is how much of a value was
// right so far. Each eighth position is looked at alone: one keyed fingerprint of
// the sixteen bytes before it, held against those of the forms near their ends.
// Only where all sixteen agree is the whole compared, in constant time. (With values
// under 23 bytes it is each fourth position and 13 bytes or more, under 16 each one
// and 8 or more: so one short value makes a Set slower.)
//
// What is not claimed: that the processor takes the same time for the same number
// of steps, or that nobody can confirm those sixteen characters near the end of a
// form, all at once, by timing many comparisons. In hex they are 8 bytes of a value.
//
// That a value was guessed whole shows, as a placeholder. So a value needs entropy:
// Compile refuses those under MinValue bytes, which would also be found by chance.
//
// # Streams that somebody waits for
//
// A fixed hold-back keeps the end of each event of an event stream until the next
// one comes. A pause is no safe place to let go: a value can lie across it, and
// whoever makes the pause chooses where. A line break is one. No value has a line
// break (Compile refuses those that do; nor could a header carry them), so no form
// has one, and nothing that is found reaches over one. Lines gives out everything
// up to the last line break that was read, and is otherwise Reader: for
// text/event-stream, where each event ends with one, and for JSON lines. The rule
// looks at line breaks and at nothing else. The middle of a line waits.
//
// # The values in memory
//
// A Set holds the values and their forms in ordinary memory. Close overwrites
// them; the copies that the garbage collector or a caller made it cannot reach. A
// Reader's buffer is overwritten when its stream has ended and was read to the end.
package redact
