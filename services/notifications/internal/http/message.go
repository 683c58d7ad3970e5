package http

import (
	"github.com/trellis-mesh/trellis/services/notifications/api"
	"github.com/trellis-mesh/trellis/services/notifications/internal/store"
)

// present shows a message as the contract has it.
func present(message store.Message) api.Message {
	return api.Message{
		ID:        message.ID,
		CreatedAt: message.CreatedAt,
	}
}
