using System.Text.Json;

namespace ManagedTransformers.Cli;

/// <summary>A problem of a benchmark.</summary>
/// <param name="TaskId">Its name.</param>
/// <param name="Where">File and line, for messages.</param>
internal abstract record Problem(string TaskId, string Where)
{
    /// <summary>How many samples one round has: one for every input.</summary>
    public abstract int SamplesPerRound { get; }
}

/// <summary>A problem in HumanEval's form: a prompt to complete.</summary>
/// <param name="TaskId">task_id.</param>
/// <param name="Where">File and line.</param>
/// <param name="Prompt">prompt.</param>
internal sealed record CompletionProblem(string TaskId, string Where, string Prompt) : Problem(TaskId, Where)
{
    public override int SamplesPerRound => 1;
}

/// <summary>A problem of the multi-turn benchmark: turns, and inputs that are put into them.</summary>
/// <param name="TaskId">id as text.</param>
/// <param name="Where">File and line.</param>
/// <param name="Id">id as it stands in the file, which the benchmark's evaluator wants back.</param>
/// <param name="Cases">The turns with each of the inputs filled in.</param>
/// <param name="MaxNewTokens">max_gen_length; null where the file does not say.</param>
internal sealed record MultiTurnProblem(string TaskId, string Where, JsonElement Id, MultiTurnCase[] Cases, int? MaxNewTokens) : Problem(TaskId, Where)
{
    public override int SamplesPerRound => Cases.Length;
}

/// <summary>The turns of a problem for one input.</summary>
/// <param name="Prompts">The turns.</param>
/// <param name="Input">What was filled in; null where the problem has no inputs.</param>
/// <param name="Output">What the program is to print; null likewise.</param>
internal sealed record MultiTurnCase(string[] Prompts, JsonElement? Input, JsonElement? Output);
