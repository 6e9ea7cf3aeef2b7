package check

// The disposable twin reaches its limits, so they are scaled down: touching
// 2 GiB takes ten seconds on a small virtual machine, touching 64 MiB a quarter
// of one. What the twin declares and what the attempt reaches for are divided
// by the same factor, derived from the wanted value, so that a declared limit
// that is too large by some factor stays too large by it, and unlimited (0)
// stays unlimited.
const (
	// A fork bomb that nothing stops must fit too, with 100 KiB of the kernel's own
	// memory for each child.
	scaledMemory = 64 << 20
	scaledTmpfs  = 2 << 20
	scaledPIDs   = 128
	// A sandbox's own kernel lives within the limit too.
	scaledSandboxMemory = 128 << 20
)

// Defaults for an attempt whose wanted limit is unlimited: the attempt must
// still be made for its failure to show.
const (
	fallbackMemory = 2 << 30
	fallbackPIDs   = 100
	fallbackTmpfs  = 2 << 30
	fallbackNoFile = 1024
	fallbackCPU    = 2000
)

// ScaleMemory scales a declared memory limit in bytes.
func ScaleMemory(wanted, declared int64, full bool) int64 {
	return scale(orElse(wanted, fallbackMemory), declared, scaledMemory, full)
}

// ScaleSandboxMemory is ScaleMemory for a twin that is a sandbox.
func ScaleSandboxMemory(wanted, declared int64, full bool) int64 {
	return scale(orElse(wanted, fallbackMemory), declared, scaledSandboxMemory, full)
}

// ScalePIDs scales a declared limit on processes. Where the limit was lost, the
// attempt would else be the very fork bomb that it tests for.
func ScalePIDs(wanted, declared int64, full bool) int64 {
	return scale(orElse(wanted, fallbackPIDs), declared, scaledPIDs, full)
}

// ScaleTmpfs scales a declared tmpfs size in bytes. A full scale run keeps the
// scaled-down stand-in too: filling it is bounded by memory there.
func ScaleTmpfs(wanted, declared int64) int64 {
	return scale(orElse(wanted, fallbackTmpfs), declared, scaledTmpfs, false)
}

// ScaleCPU scales a declared quota, in thousandths of a CPU, to at most an
// eighth of the host's cores, so that the burning threads can exceed it even
// on a busy host. At full scale it keeps one that the cores can exceed at all.
func ScaleCPU(wanted, declared int64, ncpu int, full bool) int64 {
	cores := int64(ncpu) * 1000
	return scale(orElse(wanted, fallbackCPU), declared, max(cores/8, 100), full && orElse(wanted, fallbackCPU) < cores)
}

// scale divides declared by the factor that brings wanted down to target.
func scale(wanted, declared, target int64, full bool) int64 {
	if full || declared <= 0 || wanted <= target {
		return declared
	}
	return max(int64(float64(declared)/float64(wanted)*float64(target)), 1)
}

func orElse(v, fallback int64) int64 {
	if v <= 0 {
		return fallback
	}
	return v
}

// Reach is how far the attempts go: past the wanted limit, scaled alike.
type Reach struct {
	Memory, PIDs, TmpfsFill, NoFile int64
	MilliCPU                        int64
	Threads                         int
}

// ReachFor sizes the attempts from the wanted limits, never from the declared
// ones: an attempt sized from what the engine was told would stop just where a
// lost limit would have shown.
func ReachFor(memory, cpus, pids, nofile int64, ncpu int, full bool) Reach {
	milli := ScaleCPU(cpus, orElse(cpus, fallbackCPU), ncpu, full)*3/2 + 200 // what the judge takes for too much, and room
	processes := ScalePIDs(pids, orElse(pids, fallbackPIDs), full)
	return Reach{
		Memory:    ScaleMemory(memory, orElse(memory, fallbackMemory), full) * 3 / 2,
		PIDs:      processes + 64,
		TmpfsFill: 2 * scaledTmpfs,
		NoFile:    orElse(nofile, fallbackNoFile) + 64,
		MilliCPU:  milli,
		Threads:   threads(milli, processes),
	}
}

// SandboxReach is how much memory the attempt touches in a twin that is a
// sandbox, scaled as ScaleSandboxMemory.
func SandboxReach(memory int64, full bool) int64 {
	return ScaleSandboxMemory(memory, orElse(memory, fallbackMemory), full) * 3 / 2
}

// threads is as many as can burn past the quota, in thousandths of a CPU, and
// few enough to fit into the limit on processes, which counts threads.
func threads(milli, pids int64) int {
	return int(max(min(milli/1000+2, pids/8), 2))
}
