package mutate

// network weakens what can be reached.
func network() []Mutation { return nil }
