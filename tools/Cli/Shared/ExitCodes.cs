using System.Text.Json;

namespace ManagedTransformers.Cli;

/// <summary>A command line that asks for what the command cannot do.</summary>
internal sealed class UsageException(string message) : Exception(message);

/// <summary>What the process ends with; stable, and documented in docs/cli.md.</summary>
internal static class ExitCodes
{
    /// <summary>Done.</summary>
    public const int Ok = 0;

    /// <summary>The answer is no: a verification failed, a checkpoint cannot run.</summary>
    public const int Negative = 1;

    /// <summary>The command line is wrong.</summary>
    public const int Usage = 2;

    /// <summary>A file, a text or a model is.</summary>
    public const int BadInput = 3;

    /// <summary>A defect of mtx itself (EX_SOFTWARE of sysexits.h).</summary>
    public const int Defect = 70;

    /// <summary>Ctrl+C, as shells report SIGINT.</summary>
    public const int Cancelled = 130;

    /// <summary>The exit code of an exception. What the runtime documents for bad input is the input's fault, as is more of it than the memory holds;
    /// anything else is a defect.</summary>
    public static int Of(Exception exception) => exception switch
    {
        UsageException => Usage,
        OperationCanceledException => Cancelled,
        ManagedTransformersException => BadInput,
        IOException or UnauthorizedAccessException or FormatException or ArgumentException or NotSupportedException or JsonException
            or OutOfMemoryException => BadInput,
        _ => Defect,
    };
}

/// <summary>Says what went wrong: one message on standard error, and with --json an object on standard output.</summary>
internal static class ErrorReport
{
    /// <returns>The exit code.</returns>
    public static int Write(Exception exception, CliConsole console, bool json)
    {
        int code = ExitCodes.Of(exception);
        string message = code switch
        {
            ExitCodes.Cancelled => "Cancelled.",
            ExitCodes.Defect =>
                $"mtx failed with {exception.GetType().Name}: {exception.Message} This is a defect; please report it with the command that you ran.",
            _ => MessageOf(exception),
        };
        try
        {
            var error = new ErrorResult(new ErrorBody(exception.GetType().Name, message));
            console.Fail(message, json ? JsonSerializer.Serialize(error, CliJsonContext.Relaxed.ErrorResult) : null,
                patient: code != ExitCodes.Cancelled);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nobody can be told: the exit code is all that is left.
        }
        return code;
    }

    private static string MessageOf(Exception exception) => exception switch
    {
        // What does not fit is known only where the prompt is, by the library's names.
        Models.ModelInputException => GenerationArgument.WithNames(exception.Message),
        OutOfMemoryException => "The memory does not suffice. Give a smaller input, or ask for less at a time (fewer texts or beams). "
            + "A device that never ends, such as /dev/zero, cannot be read.",
        // What getcwd says, in words that name no file.
        FileNotFoundException { FileName: null } when !HasCurrentDirectory() => "The current directory is gone. Go to one that exists (cd), and start again.",
        // .NET puts the name of the method's parameter at the end, which no command line has.
        ArgumentException { ParamName: string name } => exception.Message.Replace($" (Parameter '{name}')", ""),
        _ => exception.Message,
    };

    private static bool HasCurrentDirectory()
    {
        try
        {
            return Environment.CurrentDirectory.Length > 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}

/// <summary>What stands on standard output instead of a result.</summary>
internal sealed record ErrorResult(ErrorBody Error);

/// <summary>The exception's type and message.</summary>
internal sealed record ErrorBody(string Type, string Message);
