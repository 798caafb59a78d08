using System.Buffers.Binary;
using static ManagedTransformers.Models.Tests.RawTorch;

namespace ManagedTransformers.Models.Tests;

/// <summary>Zip archives that break a rule.</summary>
[TestFixture]
public class ZipDirectoryTests
{
    private static readonly byte[] OneTensor = Bytes(Pickle(Dict(("a", TwoFloats))));

    private static (string Name, byte[] Bytes)[] Entries =>
        [("archive/data.pkl", OneTensor), ("archive/data/0", new byte[8]), ("archive/version", "3"u8.ToArray())];

    [Test]
    public void An_archive_without_byteorder_opens()
    {
        using TorchFile file = TorchFile.FromBytes(Zip(Entries));
        Assert.That(file.Weights, Has.Count.EqualTo(1));
    }

    [TestCase(10, 8, "is compressed (method 8)")]
    [TestCase(8, 1, "is encrypted")]
    [TestCase(20, 7, "takes 7 bytes and has 8")]
    [TestCase(24, 9, "takes 8 bytes and has 9")]
    [TestCase(42, 1, "does not begin at 1, where the directory says")]
    [TestCase(42, 0x7FFFFFFF, "outside the file")]
    [TestCase(28, 60000, "ends in the middle of an entry")]
    [TestCase(30, 60000, "ends in the middle of an entry")]
    [TestCase(0, 1, "no entry of a zip directory")]
    public void A_bad_directory_entry_is_refused(int at, int value, string said) => Refuses(
        Zip(Entries, central: (i, entry) => Set(i, entry, at, value, at is 8 or 10 or 28 or 30)), said);

    [TestCase(8, 8, "encrypted or compressed")]
    [TestCase(6, 1, "encrypted or compressed")]
    [TestCase(22, 9, "8 bytes in the directory and 9 in its header")]
    [TestCase(26, 13, "another name")]
    [TestCase(28, 60000, "claims 8 bytes from")]
    [TestCase(0, 1, "does not begin")]
    public void A_header_that_disagrees_with_the_directory_is_refused(int at, int value, string said) => Refuses(
        Zip(Entries, local: (i, header) => Set(i, header, at, value, at is 6 or 8 or 26 or 28)), said);

    [Test]
    public void Sizes_beyond_the_file_are_refused() => Refuses(Zip(Entries, central: (i, entry) =>
    {
        Set(i, entry, 20, 1 << 30, false);
        Set(i, entry, 24, 1 << 30, false);
    }), "claims 1073741824 bytes");

    [Test]
    public void A_size_that_refers_to_a_missing_64_bit_number_is_refused() =>
        Refuses(Zip(Entries, central: (i, entry) => Set(i, entry, 24, -1, false)), "lacks the 64-bit numbers");

    [TestCase("../etc/passwd")]
    [TestCase("/etc/passwd")]
    [TestCase("archive/../../x")]
    [TestCase("archive\\data")]
    [TestCase("C:data")]
    public void A_name_that_leads_out_is_refused(string name) => Refuses(Zip([.. Entries, (name, [])]), "is not a plain path inside the archive");

    [Test]
    public void Two_entries_of_one_name_are_refused() => Refuses(Zip([.. Entries, ("archive/data/0", new byte[8])]), "archive/data/0 is there twice");

    [Test]
    public void Entries_that_overlap_are_refused()
    {
        int second = 30 + "archive/data.pkl".Length + OneTensor.Length;
        Refuses(Zip([.. Entries, ("archive/data/0x", new byte[8])], central: (i, entry) =>
        {
            if (i == 1) BinaryPrimitives.WriteInt32LittleEndian(entry.AsSpan(20), 40);
            if (i == 1) BinaryPrimitives.WriteInt32LittleEndian(entry.AsSpan(24), 40);
            Assert.That(i != 1 || BinaryPrimitives.ReadInt32LittleEndian(entry.AsSpan(42)) == second);
        }, local: (i, header) =>
        {
            if (i == 1) BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(6), 8);
        }), "overlap");
    }

    [TestCase("archive/data.pkl", "has 0 entries NAME/data.pkl")]
    [TestCase("archive/version", "archive/version is missing")]
    [TestCase("archive/data/0", "archive/data/0 is missing")]
    public void A_missing_entry_is_named(string name, string said) => Refuses(Zip([.. Entries.Where(entry => entry.Name != name)]), said);

    [TestCase("archive/byteorder", "big", "byte order is \"big\"")]
    [TestCase("archive/constants.pkl", "", "TorchScript program")]
    [TestCase("other/data.pkl", "", "has 2 entries NAME/data.pkl")]
    public void What_more_an_archive_has_can_be_wrong(string name, string content, string said) => Refuses(Zip([.. Entries, (name, Bytes(content))]), said);

    [TestCase("99")]
    [TestCase("x")]
    [TestCase("")]
    public void A_file_format_version_of_the_future_is_refused(string version) =>
        Refuses(Zip([.. Entries[..2], ("archive/version", Bytes(version))]), $"file format version \"{version}\"");

    [TestCase(4, 1, "several files")]
    [TestCase(8, 2, "several files")]
    [TestCase(10, 2, "several files")]
    [TestCase(12, 1, "claims 3 entries")]
    [TestCase(16, 1, "claims 3 entries")]
    [TestCase(20, 1, "truncated")]
    public void A_bad_end_record_is_refused(int at, int value, string said)
    {
        byte[] file = Zip(Entries);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(file.Length - 22 + at), (ushort)value);
        Refuses(file, said);
    }

    // Offsets in the zip64 record of zip.bin, which ends 22 + 20 bytes before the end: count, size, offset.
    [TestCase(32)]
    [TestCase(40)]
    [TestCase(48)]
    public void A_zip64_record_that_says_something_else_is_refused(int at)
    {
        byte[] file = File.ReadAllBytes(RepositoryFiles.PathOf("tests/data/torch/zip.bin"));
        BinaryPrimitives.WriteInt64LittleEndian(file.AsSpan(file.Length - 22 - 20 - 56 + at), long.MaxValue - 1);
        Refuses(file, "disagree");
        // The same where the old record leaves it to the new one.
        file.AsSpan(file.Length - 22 + 8, 12).Fill(0xFF);
        Refuses(file, "claims");
    }

    [Test]
    public void A_zip64_record_that_the_old_one_leaves_everything_to_is_read()
    {
        byte[] bytes = File.ReadAllBytes(RepositoryFiles.PathOf("tests/data/torch/zip.bin"));
        bytes.AsSpan(bytes.Length - 22 + 8, 12).Fill(0xFF);
        using TorchFile file = TorchFile.FromBytes(bytes);
        Assert.That(file.Weights, Is.Not.Empty);
        bytes[^42] = 0;                                    // the locator's signature
        Refuses(bytes, "zip64 record is missing");
    }

    private static void Set(int entry, byte[] header, int at, int value, bool isShort)
    {
        if (entry != 1) return;
        if (isShort) BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(at), (ushort)value);
        else BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(at), value);
    }

    private static void Refuses(byte[] file, string said) => Assert.That(
        () => TorchFile.FromBytes(file).Dispose(),
        Throws.TypeOf<CheckpointException>().With.Message.Contains(said).And.Message.StartsWith("pytorch_model.bin: "));
}
