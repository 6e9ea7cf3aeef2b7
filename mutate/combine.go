package mutate

// combinations weakens two weakenings at once.
func combinations() []Mutation { return nil }
