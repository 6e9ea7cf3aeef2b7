package mutate

// mounts weakens what of the host is mounted.
func mounts() []Mutation { return nil }
