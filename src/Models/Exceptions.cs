namespace ManagedTransformers.Models;

/// <summary>Inputs that a model cannot read: ids outside the vocabulary, too many tokens, shapes that do not fit, masks without a one.</summary>
public sealed class ModelInputException : ManagedTransformersException
{
    /// <summary>An exception that says where, what was found, what was needed and what to do.</summary>
    public ModelInputException(string message) : base(message)
    {
    }

    /// <summary>An exception with the error behind it.</summary>
    public ModelInputException(string message, Exception inner) : base(message, inner)
    {
    }
}

/// <summary>
/// A weight file, index or checkpoint directory that cannot be used: missing, unreadable, truncated, inconsistent or of an unknown kind.
/// The message says where, what was found, what was needed and what to do.
/// </summary>
public class CheckpointException : ManagedTransformersException
{
    /// <summary>Creates the exception without a message of its own.</summary>
    public CheckpointException()
        : base("The checkpoint cannot be used.")
    {
    }

    /// <summary>Creates the exception from its whole message.</summary>
    public CheckpointException(string message)
        : base(message) => Problems = [message];

    /// <summary>Creates the exception from its whole message and its cause.</summary>
    public CheckpointException(string message, Exception? innerException)
        : base(message, innerException) => Problems = [message];

    /// <summary>Creates the exception for several problems that were found together.</summary>
    /// <param name="summary">The first line of the message.</param>
    /// <param name="problems">One sentence or two per problem; each becomes a line.</param>
    public CheckpointException(string summary, IReadOnlyList<string> problems)
        : base(Describe(summary, problems)) => Problems = [.. problems];

    /// <summary>Name of the file that is bad, if it is one file.</summary>
    public string? FileName { get; init; }

    /// <summary>Name of the tensor that is bad, if it is one tensor.</summary>
    public string? TensorName { get; init; }

    /// <summary>The tensors that the model needs and the checkpoint lacks, by their canonical names; at least these, where there are many problems.</summary>
    public IReadOnlyList<string> MissingTensors { get; init; } = [];

    /// <summary>Every problem that was found, one entry each. Never empty when a message was given.</summary>
    public IReadOnlyList<string> Problems { get; } = [];

    private const int ShownProblems = 50;

    private static string Describe(string summary, IReadOnlyList<string> problems)
    {
        ArgumentNullException.ThrowIfNull(problems);
        IEnumerable<string> lines = problems.Take(ShownProblems).Select(problem => $"- {problem}");
        if (problems.Count > ShownProblems)
            lines = lines.Append($"- and {problems.Count - ShownProblems} more (see Problems)");
        return string.Join('\n', lines.Prepend(summary));
    }
}

/// <summary>
/// A trace that cannot be: names that no activation of the model has, activations that were not kept, more memory than allowed, values of
/// another shape than the activation they replace, a head that the model lacks, a second trace of a session.
/// </summary>
public sealed class TraceException : ManagedTransformersException
{
    /// <summary>An exception that says where, what was found, what was needed and what to do.</summary>
    public TraceException(string message) : base(message)
    {
    }

    /// <summary>An exception with the error behind it.</summary>
    public TraceException(string message, Exception inner) : base(message, inner)
    {
    }
}
