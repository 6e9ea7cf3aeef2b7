package gitwire

// Limits bound what one push may take. A zero is a limit too: nothing.
type Limits struct {
	Commands     int   // commands, shallow lines and push options together
	CommandBytes int   // their bytes, packets' lengths included
	Commits      int   // commits whose parents are remembered, and half of their parents
	CommitBytes  int   // bytes of commits that are kept to read others from
	FromDeltas   int64 // bytes of commits that are made from deltas
	Inflated     int64 // bytes that the objects of a pack have when inflated
	Steps        int   // commits walked over to answer all questions of a push
}

// DefaultLimits keep what is remembered of a push to about 100 MB at the very worst, and
// to some kilobytes as a rule. Beyond the limits of commits, deltas and steps a fast-forward can't
// be told any more; beyond the others the push can't be read.
func DefaultLimits() Limits {
	return Limits{
		Commands:     1000,
		CommandBytes: 1 << 20,
		Commits:      100_000,
		CommitBytes:  32 << 20,
		FromDeltas:   1 << 30,
		Inflated:     64 << 30,
		Steps:        5_000_000,
	}
}
