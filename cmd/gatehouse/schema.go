package main

import (
	"io"

	"github.com/spf13/cobra"

	"gatehouse/deploy"
)

func (p *program) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the configuration, for editors",
		Long: `Prints the JSON Schema of gatehouse.yaml. With it an editor completes keys, shows
what they mean and marks mistakes while you type:

  gatehouse schema > gatehouse.schema.json

and, as the first line of gatehouse.yaml, for editors with the YAML language server:

  # yaml-language-server: $schema=gatehouse.schema.json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(p.stdout, deploy.Schema())
			return err
		},
	}
}
