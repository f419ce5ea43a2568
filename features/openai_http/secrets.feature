Feature: Secrets stay
  Neither the key nor the prompt is shown, whoever repeats them.

  Background:
    Given an upstream
    And an adapter for the chat API with the key "sk-feature-0123456789"

  @OC-ADAPT-OAI-6020 @SEC-16 @ADP-50
  Scenario: The upstream repeats the key in its error
    Given the upstream will always do "status=401;echo-key"
    When a task for 2 tokens is submitted
    Then submit raises POOL_UNAVAILABLE with outcome REJECTED
    And neither error, log nor adapter shows the key or the prompt

  @ADP-35
  Scenario: The policies in force can be read, the key cannot
    Then the adapter's policies name retry, timeouts, egress, proxy and TLS
    And neither error, log nor adapter shows the key or the prompt
