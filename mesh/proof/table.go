package proof

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
)

// printTable shows what was proven.
func printTable(title string, head []string, rows [][]string) {
	fmt.Printf("\n%s\n\n", title)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	for _, row := range append([][]string{head}, rows...) {
		fmt.Fprintf(w, "  %s\n", strings.Join(row, "\t"))
	}
	_ = w.Flush()
}
