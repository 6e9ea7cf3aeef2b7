package upstream

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// OpenAI is the chat completions API, whole or as server-sent events, which answers
// with the words, a chunk each.
func OpenAI(words ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/v1/chat/completions" {
			sendJSON(w, http.StatusNotFound, map[string]any{"error": map[string]any{"message": "no " + r.URL.Path, "type": "invalid_request_error"}})
			return
		}
		var ask struct {
			Model  string `json:"model"`
			Stream bool   `json:"stream"`
		}
		if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
			sendJSON(w, http.StatusBadRequest, map[string]any{"error": map[string]any{"message": err.Error(), "type": "invalid_request_error"}})
			return
		}
		if !ask.Stream {
			sendJSON(w, http.StatusOK, completion("chat.completion", ask.Model, "message",
				map[string]any{"role": "assistant", "content": strings.Join(words, "")}, "stop"))
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		chunk := func(delta map[string]any, finish any) {
			b, _ := json.Marshal(completion("chat.completion.chunk", ask.Model, "delta", delta, finish))
			fmt.Fprintf(w, "data: %s\n\n", b)
			w.(http.Flusher).Flush()
		}
		chunk(map[string]any{"role": "assistant", "content": ""}, nil)
		for _, word := range words {
			chunk(map[string]any{"content": word}, nil)
		}
		chunk(map[string]any{}, "stop")
		fmt.Fprint(w, "data: [DONE]\n\n")
	})
}

func completion(object, model, part string, content map[string]any, finish any) map[string]any {
	return map[string]any{
		"id": "chatcmpl-standin", "object": object, "created": 1700000000, "model": model,
		"choices": []any{map[string]any{"index": 0, part: content, "finish_reason": finish}},
	}
}
