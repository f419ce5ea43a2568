"""
Structured output and tools: pydantic models as the form of what a model answers, and of what it calls.

Everything here is explicit: a schema is made of a model (`json_schema_of`), a request asks for it
(`response_format_of`, `pydantic_function_tool`), an answer is read as it (`parsed_chat`, `parsed_arguments`). The
methods `parse` of `client.chat.completions` and `client.responses` do these three for one call.

Spec: CLI-14
"""
