package standards

var attack = Standard{
	Name: "MITRE-ATTACK", Title: "MITRE ATT&CK techniques", Edition: "Enterprise", Open: true,
	Source: "https://attack.mitre.org/matrices/enterprise/containers/",
	Note: "A knowledge base of what attackers do, not a list of requirements: only techniques that a check makes " +
		"harder are listed, and nothing follows from one that is not.",
	Controls: []Control{
		{ID: "T1041", Title: "Data leaves over the attacker's own channel"},
		{ID: "T1059", Title: "Commands and scripts are run"},
		{ID: "T1496", Title: "Resources are used for somebody else's ends"},
		{ID: "T1499", Title: "A machine is exhausted"},
		{ID: "T1548.001", Title: "Setuid and setgid files are abused"},
		{ID: "T1552.007", Title: "Credentials are had through the container engine's API"},
		{ID: "T1611", Title: "The container is left for the host"},
	},
}
