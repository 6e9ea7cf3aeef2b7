package mutate

// kernelSurface weakens what of the kernel can be called.
func kernelSurface() []Mutation { return nil }
