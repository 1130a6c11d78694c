package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

const usageHead = `Sandbox is the whole world of Istirdad on one machine: gateway, government core, bank, phone.

  sandbox -polite -walk                      walks the path of a refund once, in Arabic and English
  sandbox -polite                            stays up; says where everything is and whom one can be
  sandbox -polite -free-ports -print-json    the same for a program that starts it and reads one line
  sandbox referee                            asks one that is up: was anything lost, doubled, lied about?

It runs until it is told to stop, by Ctrl-C or SIGTERM. Without -polite the core is awkward on purpose, each kind of
fault at its rate, or SANDBOX_FAULT_LATE=0.9. GET /faults/kinds of the control listener tells all kinds.
`

// usageGroups are the flags in the order in which one asks for them.
var usageGroups = []struct{ title, flags string }{
	{"How it is", "polite faults crowd employer profile data seed"},
	{"What it does", "walk print-json v"},
	{"Where it answers", "gateway ops core bank control free-ports"},
	{"On real servers", "database-url redis-url"},
	{"For a gateway of your own, with -gateway off; the two URLs are then needed, and are that gateway's, as its owner",
		"callback write-config"},
}

// usage says what can be asked for.
func usage(w io.Writer, flags *flag.FlagSet) {
	const column = 24
	fmt.Fprint(w, usageHead)
	for _, group := range usageGroups {
		fmt.Fprintf(w, "\n%s:\n", group.title)
		for name := range strings.FieldsSeq(group.flags) {
			f := flags.Lookup(name)
			value, text := flag.UnquoteUsage(f)
			if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" {
				text += " (default " + f.DefValue + ")"
			}
			fmt.Fprintf(w, "  %-*s%s\n", column-2, strings.TrimSpace("-"+name+" "+value),
				strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", column)))
		}
	}
}
