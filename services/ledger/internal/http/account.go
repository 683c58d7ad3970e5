package http

import (
	"github.com/trellis-mesh/trellis/services/ledger/api"
	"github.com/trellis-mesh/trellis/services/ledger/internal/store"
)

// present shows an account as the contract has it.
func present(account store.Account) api.Account {
	return api.Account{
		ID: account.ID,
	}
}
