package probe

// notSwept is every system call of x/sys's tables that is not swept, and why.
var notSwept = map[string]string{
	"rt_sigreturn": "it takes the stack for a signal's frame",
	"exit":         "it ends the thread",
	"exit_group":   "it ends the process",
	"fork":         "it makes a second guest; clone is swept",
	"vfork":        "it makes a second guest; clone is swept",
	"pause":        "it does not return",
	"umask":        "it acts whatever its argument",
	"sync":         "it acts: the host's disks would be written",
	"vhangup":      "it acts, with the capability: it hangs up the terminal",

	"remap_file_pages": "the kernel writes into the host's log that it is deprecated",
	"uretprobe":        "it kills whoever is not a probe's trampoline",
	"uprobe":           "it kills whoever is not a probe's trampoline",

	// Numbers that were given away and that no kernel of today answers.
	"_sysctl": noKernel, "create_module": noKernel, "get_kernel_syms": noKernel, "query_module": noKernel, "nfsservctl": noKernel,
	"getpmsg": noKernel, "putpmsg": noKernel, "afs_syscall": noKernel, "tuxcall": noKernel, "security": noKernel, "vserver": noKernel,
	"epoll_ctl_old": noKernel, "epoll_wait_old": noKernel, "arch_specific_syscall": noKernel,
}

const noKernel = "no kernel has it any more"
