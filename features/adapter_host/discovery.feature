Feature: Adapters are found by their installed distributions
  An adapter author installs a distribution, and its adapter is there. Nobody edits a list, and one that is broken takes
  nobody with it.

  @ADP-60 @ADP-64
  Scenario: A sample adapter of another distribution streams through the host
    Given the sample plugin is built as a wheel and installed
    When its adapter answers "say it again" from a configured pool
    Then the answer is "say it again"

  @ADP-60
  Scenario: The command line lists what is installed
    Given the sample plugin is built as a wheel and installed
    When the operator lists the adapters
    Then "echo" of "echo-adapter" is usable
    And "openai-http" of "worker-adapters" is usable

  @HST-03
  Scenario Outline: A broken plugin is quarantined and the others load
    Given the sample plugin is built as a wheel and installed
    And a plugin is installed that <does>
    When the operator lists the adapters
    Then the broken plugin is in quarantine because <reason>
    And "echo" of "echo-adapter" is usable

    Examples:
      | does                     | reason                              |
      | raises on import         | loading it raised RuntimeError      |
      | exits on import          | loading it raised SystemExit        |
      | speaks contract 2.0      | it speaks version 2.0               |
      | takes a built-in name     | the name 'openai-http' is taken     |
      | has no hook              | has no hook implementation          |

  @HST-03
  Scenario: Strict discovery refuses a broken plugin
    Given a plugin is installed that raises on import
    When the operator lists the adapters strictly
    Then the command fails with exit code 1
