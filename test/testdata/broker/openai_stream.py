"""Prints an answer as a whole, and one as it is streamed."""

import openai

client = openai.OpenAI(max_retries=0)
ask = {"model": "gpt-5", "messages": [{"role": "user", "content": "say hi"}]}
print(client.chat.completions.create(**ask).choices[0].message.content)
for chunk in client.chat.completions.create(**ask, stream=True):
    print(chunk.choices[0].delta.content or "", end="", flush=True)
print("\nstop:", chunk.choices[0].finish_reason)
