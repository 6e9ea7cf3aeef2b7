package check

// networkChecks are the rows about what can be reached.
func networkChecks() []*Check { return nil }
