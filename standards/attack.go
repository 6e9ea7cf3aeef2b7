package standards

var attack = Standard{
	Name: "MITRE-ATTACK", Title: "MITRE ATT&CK techniques", Edition: "Enterprise", Open: true,
	Source: "https://attack.mitre.org/matrices/enterprise/containers/",
	Note: "A knowledge base of what attackers do, not a list of requirements: only techniques that a check makes " +
		"harder are listed, and nothing follows from one that is not.",
	Controls: []Control{
		{ID: "T1041", Title: "Data leaves over the attacker's own channel"},
		{ID: "T1046", Title: "Services on the network are looked for"},
		{ID: "T1048", Title: "Data leaves over another protocol"},
		{ID: "T1055.008", Title: "A process is taken over with ptrace"},
		{ID: "T1059", Title: "Commands and scripts are run"},
		{ID: "T1496", Title: "Resources are used for somebody else's ends"},
		{ID: "T1499", Title: "A machine is exhausted"},
		{ID: "T1547.006", Title: "A kernel module is loaded"},
		{ID: "T1548.001", Title: "Setuid and setgid files are abused"},
		{ID: "T1552.001", Title: "Credentials are read from files"},
		{ID: "T1552.004", Title: "Private keys are found"},
		{ID: "T1552.005", Title: "Credentials are had from the cloud's metadata service"},
		{ID: "T1552.007", Title: "Credentials are had through the container engine's API"},
		{ID: "T1611", Title: "The container is left for the host"},
	},
}
