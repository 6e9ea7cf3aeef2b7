// Package broker lets processes in containers use credentials that they never hold.
//
// It listens on one Unix socket per sandbox. Of every connection the kernel says
// which process is at the other end, and that process must be in the cgroup that was
// recorded for the sandbox. Of every request the policy says where it goes, whether
// it may, and what is attached on the way out. No call returns a credential: what a
// caller sees is the upstream's answer, with every known rendering of the value
// taken out of it.
//
//	accept  →  attest  →  front.ReadHead  →  decide  →  limits
//	        →  ledger: intent (durable)  →  attach  →  upstream
//	        →  redact  →  caller,  ledger: outcome
//
// The order of the middle is the package's promise: a credential is attached only
// once the record that says so is on the disk. Where that record can't be made,
// nothing is sent.
//
// Whatever is not expressly allowed is refused, and a refusal says in words that a
// model can act on what was refused, by which rule, and which line of the policy
// would allow it.
//
//	b, err := broker.New(broker.Options{Dir: dir, Ledger: log, Open: open, Policy: p})
//	err = b.Serve(ctx)
//
// The package logs nothing; Options.Notify is told what an operator may want to know.
package broker
