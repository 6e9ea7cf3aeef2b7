package check

// deviceChecks are the rows about device nodes.
func deviceChecks() []*Check { return nil }
