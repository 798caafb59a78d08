using System.Text;
using Spectre.Console;

namespace ManagedTransformers.Cli;

/// <summary>Where commands read and write. Tests give strings, the process its standard streams, UTF-8 in and out.</summary>
#pragma warning disable CA1001 // its writers hold nothing: the streams below them are the process's
internal sealed class CliConsole(TextReader input, TextWriter output, TextWriter error)
#pragma warning restore CA1001
{
    /// <summary>Wide enough that no line of a redirected table is broken.</summary>
    private const int UnboundedWidth = 4096;

    /// <summary>In a terminal of a few columns Spectre looks for the width of a progress bar for ever: there the terminal breaks the lines.</summary>
    private const int LeastWidth = 40;

    private readonly SharedWriter _out = new(output);
    private readonly SharedWriter _error = new(error);
    private IAnsiConsole? _styled;

    /// <summary>Standard input.</summary>
    public TextReader In { get; } = input;

    /// <summary>Standard output: results only.</summary>
    public TextWriter Out => _out;

    /// <summary>Standard error: messages and progress.</summary>
    public TextWriter Error => _error;

    /// <summary>Whether somebody types what is read.</summary>
    public bool InIsTerminal { get; init; }

    /// <summary>Whether results go to a terminal: colours, frames and bars; else plain text.</summary>
    public bool OutIsTerminal { get; init; }

    /// <summary>Whether messages go to a terminal, so that progress may be drawn.</summary>
    public bool ErrorIsTerminal { get; init; }

    /// <summary><see cref="Out"/> for tables and styled text.</summary>
    public IAnsiConsole Styled => _styled ??= Style(Out, OutIsTerminal);

    /// <summary><see cref="Error"/> for progress bars.</summary>
    public IAnsiConsole StyledError => Style(Error, ErrorIsTerminal);

    /// <summary>The console of this process.</summary>
    public static CliConsole OfProcess()
    {
        var utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        if (OperatingSystem.IsWindows() && !Console.IsOutputRedirected) Console.OutputEncoding = utf8;
        return new CliConsole(
            IsClosed(0) ? TextReader.Null : new StreamReader(Console.OpenStandardInput(), Utf8Input.Encoding),
            new StreamWriter(IsClosed(1) ? new ClosedStream() : Console.OpenStandardOutput(), utf8) { NewLine = "\n" },
            new StreamWriter(IsClosed(2) ? Stream.Null : Console.OpenStandardError(), utf8) { NewLine = "\n", AutoFlush = true })
        {
            InIsTerminal = !Console.IsInputRedirected,
            OutIsTerminal = !Console.IsOutputRedirected,
            ErrorIsTerminal = !Console.IsErrorRedirected,
        };
    }

    /// <summary>Shows what is being done in a line of its own, on terminals only; the next call replaces it, an empty text removes it.</summary>
    public void ShowProgress(string text)
    {
        if (ErrorIsTerminal)
            Error.Write($"\r\e[K{Show.Visible(text)}");
    }

    /// <summary>Says what is odd and harms nothing, in a line of its own.</summary>
    public void Warn(string warning) => Error.WriteLine($"mtx: warning: {Show.Visible(warning)}");

    /// <summary>Says what went wrong, which is the last that is written: the command may still be at work, and gets no further.</summary>
    /// <param name="message">For people, on standard error.</param>
    /// <param name="json">For programs, on standard output; null where none was asked for.</param>
    /// <param name="patient">Whether it waits for whoever reads; not where the command was told to end.</param>
    public void Fail(string message, string? json, bool patient)
    {
        try
        {
            _error.End($"mtx: {Show.Printable(message)}", ownLine: false, patient);
        }
        finally
        {
            _out.End(json, ownLine: true, patient);
        }
    }

    /// <summary>Writes what is left, at the end of the process.</summary>
    /// <param name="exitCode">What the process was to end with.</param>
    /// <returns>That, or <see cref="ExitCodes.BadInput"/> where a result could not be written: the disk is full, or the output closed.</returns>
    public int Close(int exitCode)
    {
        try
        {
            _out.End(lastLine: null, ownLine: true, patient: exitCode < ExitCodes.Cancelled);
            return exitCode;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var unwritten = new IOException($"Standard output cannot be written: {e.Message}", e);
            return exitCode == ExitCodes.Ok ? ErrorReport.Write(unwritten, this, json: false) : exitCode;
        }
    }

    /// <summary>
    /// Whether the process was started without a standard stream (<c>&lt;&amp;-</c>, <c>&gt;&amp;-</c>). Then its descriptor is one that the runtime opened for
    /// itself: a pipe on which reading would never end, or a file. What a process opens itself is closed on exec, and what it inherits cannot be.
    /// </summary>
    private static bool IsClosed(int descriptor)
    {
        const int CloseOnExec = 0x80000;
        string description = $"/proc/self/fdinfo/{descriptor}";           // of Linux; its flags are octal
        return File.Exists(description)
            && File.ReadLines(description).FirstOrDefault(line => line.StartsWith("flags:", StringComparison.Ordinal)) is string flags
            && (Convert.ToInt32(flags["flags:".Length..].Trim(), 8) & CloseOnExec) != 0;
    }

    private static IAnsiConsole Style(TextWriter writer, bool terminal)
    {
        bool colours = terminal && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
        return AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new WriterOutput(writer, terminal),
            Ansi = terminal ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = colours ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Interactive = terminal ? InteractionSupport.Yes : InteractionSupport.No,
            // The defaults look at CI variables of the environment and switch colours on in redirected output.
            Enrichment = new ProfileEnrichment { UseDefaultEnrichers = false },
        });
    }

    /// <summary>An output that is not there.</summary>
    private sealed class ClosedStream : WriteOnlyStream
    {
        public override long Position { get; set; }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (!buffer.IsEmpty) throw new IOException("The output is closed.");
        }
    }

    private sealed class WriterOutput(TextWriter writer, bool terminal) : IAnsiConsoleOutput
    {
        public TextWriter Writer => writer;

        public bool IsTerminal => terminal;

        public int Width => terminal ? TerminalWidth() : UnboundedWidth;

        public int Height => 24;

        public void SetEncoding(System.Text.Encoding encoding)
        {
            // Always UTF-8.
        }

        private static int TerminalWidth()
        {
            try
            {
                return Console.BufferWidth is > 0 and int width ? Math.Max(LeastWidth, width) : 80;
            }
            catch (IOException)
            {
                return 80;          // a terminal without a size
            }
        }
    }
}
